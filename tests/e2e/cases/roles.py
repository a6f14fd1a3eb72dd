"""Two users with each role, and one without any: who may pull, push, delete and administer what."""
from harness import ROLES, USER_PASSWORD, User, check, equal, started

DENIED = (401, 403, 404)
#        role              pull   push   delete members
MATRIX = {
    "projectAdmin": (True, True, True, True),
    "maintainer": (True, True, True, False),
    "developer": (True, True, False, False),
    "guest": (True, False, False, False),
    "limitedGuest": (True, False, False, False),
    "outsider": (False, False, False, False),
}


def main():
    with started() as case:
        case.project("team")
        case.project("elsewhere")
        layout = case.layout()
        image, _ = layout.image([{"etc/one": b"1" * 3000}])
        layout.tag(image, "x")
        case.admin.login("skopeo")
        case.admin.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/team/image:1")
        case.admin.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/elsewhere/image:1")
        for role, allowed in MATRIX.items():
            for number in (1, 2):
                user = case.user(f"{role.lower()}{number}")
                if role in ROLES:
                    case.server.add_member("team", user.name, ROLES[role])
                user.login("skopeo", "crane")
                exercise(case, user, layout, image, allowed)
        membership_ends_access(case, layout)


def exercise(case, user, layout, image, allowed):
    pull, push, delete, members = allowed
    tag = "by-" + user.name
    user.skopeo_copy(f"docker://{case.host}/team/image:1", f"oci:{case.scratch.path('out-' + user.name)}:x", ok=pull)
    user.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/team/image:{tag}", ok=push)
    equal(tag in case.tags("team/image"), push, f"{tag} exists")
    user.run("crane", "ls", f"{case.host}/team/image", ok=pull)

    case.admin.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/team/doomed:{user.name}")
    status, _, _ = user.request("DELETE", f"/v2/team/doomed/manifests/{image['digest']}")
    check(status == 202 if delete else status in DENIED, f"{user.name} deletes: {status}")
    status, _, _ = user.request("GET", "/api/v2.0/projects/team/repositories/image/artifacts")
    check(status == 200 if pull else status in DENIED, f"{user.name} lists artifacts: {status}")
    status, _, _ = user.request("DELETE", "/api/v2.0/projects/team/repositories/doomed")
    check(status in (200, 404) if delete else status in DENIED, f"{user.name} deletes a repository: {status}")
    status, _, _ = user.request("PUT", "/api/v2.0/projects/team", b'{"metadata":{"auto_scan":"false"}}',
                                headers={"Content-Type": "application/json"})
    check(status == 200 if members else status in DENIED, f"{user.name} configures: {status}")

    # Nobody of them has anything to do with the other project, whatever it is asked with.
    for method, path in (("GET", "manifests/1"), ("HEAD", "manifests/1"), ("DELETE", "manifests/1"),
                         ("POST", "blobs/uploads/"), ("GET", "tags/list"),
                         ("GET", f"blobs/{image['digest']}"), ("GET", f"referrers/{image['digest']}")):
        status, _, _ = user.request(method, f"/v2/elsewhere/image/{path}")
        check(status in DENIED, f"{user.name} {method} elsewhere {path}: {status}")
    for path in ("", "/members", "/repositories", "/repositories/image/artifacts/1"):
        status, _, _ = user.request("GET", "/api/v2.0/projects/elsewhere" + path)
        check(status in DENIED, f"{user.name} GET elsewhere{path}: {status}")
    status, _, _ = user.request("GET", "/api/v2.0/users")
    check(status in DENIED, f"{user.name} lists users: {status}")


def membership_ends_access(case, layout):
    """A removed member, a changed password and a deleted user are out at the next request."""
    user = case.user("leaver")
    case.server.add_member("team", "leaver", ROLES["developer"])
    user.login("skopeo")
    user.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/team/image:leaver")
    member = next(member for member in case.server.api("GET", "/projects/team/members?page_size=100")
                  if member["entity_name"] == "leaver")
    case.server.api("DELETE", f"/projects/team/members/{member['id']}")
    status, _, _ = user.request("GET", "/v2/team/image/manifests/1")
    check(status in DENIED, f"a removed member pulls: {status}")

    account = next(found for found in case.server.api("GET", "/users?page_size=100") if found["username"] == "leaver")
    case.server.add_member("team", "leaver", ROLES["guest"])
    equal(user.request("GET", "/v2/team/image/manifests/1")[0], 200, "a member again")
    case.server.api("PUT", f"/users/{account['user_id']}/password",
                    {"old_password": USER_PASSWORD, "new_password": "Other12345word"})
    equal(user.request("GET", "/v2/team/image/manifests/1")[0], 401, "the old password")
    renewed = User(case.scratch, case.server, "leaver", "Other12345word")
    equal(renewed.request("GET", "/v2/team/image/manifests/1")[0], 200, "the new password")
    case.server.api("DELETE", f"/users/{account['user_id']}")
    equal(renewed.request("GET", "/v2/team/image/manifests/1")[0], 401, "a deleted user")
