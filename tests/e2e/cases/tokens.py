"""The token service: what Docker's and containerd's flow needs, and what a token cannot do."""
import base64
import hashlib
import hmac
import json
import time

from harness import ROLES, USER_PASSWORD, check, equal, started


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encode(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_for(case, user, *scopes, expected=200, service="harbor-registry"):
    query = f"service={service}" + "".join(f"&scope={scope}" for scope in scopes)
    if user is None:
        status, _, body = case.server.request("GET", "/service/token?" + query, authenticated=False)
    else:
        status, _, body = user.request("GET", "/service/token?" + query)
    equal(status, expected, f"token for {scopes}")
    return json.loads(body) if status == 200 else None


def bearer(case, method, path, token, body=None):
    return case.server.request(method, path, body, authenticated=False,
                               headers={"Authorization": "Bearer " + token})[0]


def main():
    with started() as case:
        case.project("team")
        case.project("other")
        digest = case.push_blob("team/image", b"content")
        case.push_blob("other/image", b"content of another")
        path = f"/v2/team/image/blobs/{digest}"
        user = case.user("dev")
        case.server.add_member("team", "dev", ROLES["developer"])

        answer = token_for(case, user, "repository:team/image:pull")
        for key in ("token", "expires_in", "issued_at"):
            check(key in answer, f"{key} in {sorted(answer)}")
        token = answer["token"]
        header, claims = decode(token.split(".")[0]), decode(token.split(".")[1])
        equal(header["alg"], "RS256", "algorithm")
        check(header["kid"].count(":") == 11, f"libtrust key id: {header['kid']}")
        equal(claims["iss"], "harbor-token-issuer", "issuer")
        equal(claims["aud"], "harbor-registry", "audience")
        equal(claims["access"][0]["name"], "team/image", "access")
        check(set(claims["access"][0]["actions"]) >= {"pull", "push"}, "all actions the caller has are named")
        equal(bearer(case, "GET", path, token), 200, "pull with a token")

        several = token_for(case, user, "repository:team/image:pull", "repository:other/image:pull")
        access = {entry["name"]: entry["actions"] for entry in decode(several["token"].split(".")[1])["access"]}
        check("pull" in access["team/image"], access)
        check(not access.get("other/image"), f"nothing is granted elsewhere: {access}")
        equal(bearer(case, "GET", "/v2/other/image/tags/list", several["token"]), 401, "another project's repository")

        token_for(case, None, expected=401)
        token_for(case, None, "repository:team/image:pull")  # Anonymous tokens exist; they grant nothing here.
        token_for(case, user, "repository:team/image:pull", service="another-service", expected=400)
        equal(user.request("POST", "/service/token", b"grant_type=password")[0], 405, "POST")
        wrong_password(case, path)

        forged(case, path, token, header, claims)
        ends_with_its_owner(case, path, token)


def wrong_password(case, path):
    """As in Harbor: without a scope it is refused; with one it yields what anybody gets, which is nothing here."""
    query = "/service/token?service=harbor-registry"
    wrong = {"user": "dev", "password": "Wrong12345word"}
    equal(case.server.request("GET", query, **wrong)[0], 401, "wrong password")
    status, _, body = case.server.request("GET", query + "&scope=repository:team/image:pull", **wrong)
    check(status in (200, 401), f"wrong password with a scope: {status}")
    if status == 200:
        token = json.loads(body)["token"]
        check(not decode(token.split(".")[1])["access"][0]["actions"], "an anonymous token grants nothing")
        equal(bearer(case, "GET", path, token), 401, "an anonymous token")


def forged(case, path, token, header, claims):
    signature = token.split(".")[2]
    bigger = {**claims, "access": [{"type": "repository", "name": "other/image", "actions": ["pull", "push"]}]}
    candidates = {
        "changed claims": f"{encode(header)}.{encode(bigger)}.{signature}",
        "no algorithm": f"{encode({**header, 'alg': 'none'})}.{encode(claims)}.",
        "no signature": f"{encode(header)}.{encode(claims)}.",
        "cut signature": token[:-8],
        "two parts": ".".join(token.split(".")[:2]),
        "garbage": "garbage",
        "empty parts": "..",
        "another key id": f"{encode({**header, 'kid': 'A' * 59})}.{encode(claims)}.{signature}",
    }
    for public in (b"public key", header["kid"].encode()):
        signed = f"{encode({**header, 'alg': 'HS256'})}.{encode(claims)}"
        candidates[f"HS256 with {public[:6]!r}"] = signed + "." + encode(hmac.new(public, signed.encode(), hashlib.sha256).digest())
    for name, candidate in candidates.items():
        equal(bearer(case, "GET", path, candidate), 401, name)


def ends_with_its_owner(case, path, token):
    """Claims are an upper bound: membership and account are looked up at every request."""
    equal(bearer(case, "GET", path, token), 200, "before")
    member = next(member for member in case.server.api("GET", "/projects/team/members") if member["entity_name"] == "dev")
    case.server.api("DELETE", f"/projects/team/members/{member['id']}")
    check(bearer(case, "GET", path, token) in (401, 403), "a removed member's token")
    case.server.add_member("team", "dev", ROLES["developer"])
    equal(bearer(case, "GET", path, token), 200, "a member again")
    account = next(found for found in case.server.api("GET", "/users") if found["username"] == "dev")
    case.server.api("DELETE", f"/users/{account['user_id']}")
    check(bearer(case, "GET", path, token) in (401, 403), "a deleted user's token")

    # A project of the same name is another project.
    owner = case.user("owner")
    case.project("again")
    case.server.add_member("again", "owner", ROLES["developer"])
    token = token_for(case, owner, "repository:again/image:pull,push")["token"]
    equal(bearer(case, "POST", "/v2/again/image/blobs/uploads/", token), 202, "push")
    case.server.api("DELETE", "/projects/again")
    time.sleep(1.1)  # Tokens and projects carry whole seconds.
    case.project("again")
    case.server.add_member("again", "owner", ROLES["developer"])
    check(bearer(case, "POST", "/v2/again/image/blobs/uploads/", token) in (401, 403), "token of the deleted project")
    equal(USER_PASSWORD in case.server.log_tail(100_000), False, "a password in the log")
    equal(token in case.server.log_tail(100_000), False, "a token in the log")
