"""The chart: lint, what it renders for the examples, what it refuses, and a start with what it renders."""
import base64
import copy
import os
import subprocess

import yaml
from examples import DEPLOY, ExampleServer, check_variables, has_path, scratch_folder, use_registry
from harness import check, equal, find_client
from schemas import Kubernetes

CHART = os.path.join(DEPLOY, "helm", "roadstead")
IMAGE = ["--set", "image.repository=registry.example.org/roadstead"]
SECRET_KEY = "5eed" * 16
OWN_SECRETS = {"adminPassword": "Admin12345word", "secretKey": SECRET_KEY, "awsAccessKeyId": "key-of-the-bucket",
               "awsSecretAccessKey": "secret-of-the-bucket"}
NAME = "r1-roadstead"


def helm(version, *arguments, ok=True):
    done = subprocess.run([find_client(version), *arguments], capture_output=True, text=True, timeout=120, check=False)
    check((done.returncode == 0) == ok, f"{version} {' '.join(arguments)} ended with {done.returncode}\n"
                                        f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return done.stdout if ok else done.stderr + done.stdout


def render(*arguments, version="helm3"):
    text = helm(version, "template", "r1", CHART, "--namespace", "registry", "--kube-version", "1.34.1", *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def value_sets():
    """Name → arguments. The examples as they are, and what they leave out."""
    sets = {name[:-5]: ["-f", os.path.join(DEPLOY, "helm", "examples", name)]
            for name in sorted(os.listdir(os.path.join(DEPLOY, "helm", "examples")))}
    own = [flag for name, value in OWN_SECRETS.items() for flag in ("--set-string", f"secrets.{name}={value}")]
    sets["defaults"] = IMAGE
    sets["own secrets"] = [
        *IMAGE, *own, "--set", "database.type=postgresql,storage.type=s3,storage.s3.bucket=images,redis.enabled=true,"
        "replicaCount=2", "--set-string", "secrets.databaseUrl=postgresql://roadstead:pass@db:5432/roadstead",
        "--set-string", "secrets.redisUrl=redis://:pass@redis:6379/0"]
    sets["everything else"] = [
        *IMAGE, "--set", "tls.secretName=tls,service.type=NodePort,service.nodePort=30443,metrics.enabled=false,"
        "persistence.existingClaim=disk,serviceAccount.create=false,preStopSeconds=0,test.enabled=false,"
        "nodeSelector.disk=ssd,priorityClassName=high,podLabels.team=a,podAnnotations.b=c,imagePullSecrets[0]=pull,"
        "roles[0]=registry,roles[1]=api,networkPolicy.enabled=true,fullnameOverride=r1-roadstead,"
        "config.ROADSTEAD_GC_INTERVAL_SECONDS=300,extraEnv[0].name=ROADSTEAD_LOG_LEVEL,extraEnv[0].value=debug",
        "--set", "image.digest=sha256:" + "ab" * 32]
    return sets


def main():
    schemas = Kubernetes()
    self_test(schemas)
    for name, arguments in value_sets().items():
        for version in ("helm3", "helm4"):
            helm(version, "lint", "--strict", CHART, *arguments)
        documents = render(*arguments)
        equal(render(*arguments, version="helm4"), documents, f"{name}: both versions of helm render the same")
        for document in documents:
            problems = schemas.check(document)
            check(not problems, f"{name}: {document['kind']}: {problems}")
        check_release(name, documents)
        print(f"{name}: {', '.join(sorted(document['kind'] for document in documents))}")
    check_kinds()
    check_refusals()
    start_small()


def self_test(schemas):
    """The validator finds mistakes."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
               "spec": {"ports": [{"port": 80, "targetPort": "http"}]}}
    equal(schemas.check(service), [], "a right one")
    for change, text in ((lambda s: s["spec"].update(prots=[]), "prots is unknown"),
                         (lambda s: s["spec"]["ports"][0].pop("port"), "port is missing"),
                         (lambda s: s["spec"]["ports"][0].update(port="80"), "'80' is no integer"),
                         (lambda s: s["metadata"].update(labels={"a": 1}), "1 is no string"),
                         (lambda s: s.update(apiVersion="v2"), "there is no kind")):
        wrong = copy.deepcopy(service)
        change(wrong)
        problems = schemas.check(wrong)
        check(len(problems) == 1 and text in problems[0], f"{problems} should be: {text}")


def only(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def check_release(name, documents):
    """What a schema cannot tell: names that refer to each other, and what must never be there."""
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    equal(len(names), len(set(names)), f"{name}: different names")
    check(all(document["metadata"]["namespace"] == "registry" for document in documents), f"{name}: the namespace")
    deployment = only(documents, "Deployment")[0]["spec"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = [deployment["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in only(documents, "Service")]
    selectors += [item["spec"]["selector"]["matchLabels"] for item in only(documents, "PodDisruptionBudget")]
    selectors += [item["spec"]["podSelector"]["matchLabels"] for item in only(documents, "NetworkPolicy")]
    check(all(selector.items() <= labels for selector in selectors), f"{name}: selectors choose the pods")
    for test in only(documents, "Pod"):
        check(not selectors[0].items() <= test["metadata"]["labels"].items(), f"{name}: the test pod gets no requests")
        check_container(name, test["spec"], test["spec"]["containers"][0])
    check_container(name, pod, container)
    check_ports(name, documents, container)
    check_volumes(name, documents, pod, container)
    check_strategy(name, documents, deployment, pod)
    variables = [entry["name"] for entry in container["env"]]
    for source in container["envFrom"]:
        variables += only(documents, "ConfigMap")[0]["data"] if "configMapRef" in source else []
    equal(len(variables), len(set(variables)), f"{name}: each variable once: {variables}")
    check_variables(variables, f"chart, {name}")
    check_secrets(name, documents, container)


def check_container(name, pod, container):
    inner, outer = container["securityContext"], pod["securityContext"]
    check(outer["runAsNonRoot"] and outer["runAsUser"] > 0, f"{name}: not root")
    equal(outer["seccompProfile"], {"type": "RuntimeDefault"}, f"{name}: seccomp")
    check(inner["readOnlyRootFilesystem"] and not inner["allowPrivilegeEscalation"], f"{name}: {inner}")
    equal(inner["capabilities"], {"drop": ["ALL"]}, f"{name}: capabilities")
    check(not pod.get("automountServiceAccountToken") or name == "mysql-s3", f"{name}: no token of the API")
    check(not pod["enableServiceLinks"], f"{name}: no variables of services")
    check("@sha256:" in container["image"] or container["image"].rpartition(":")[2] not in ("", "latest"),
          f"{name}: {container['image']} has a version")
    check("memory" in container["resources"]["limits"] and "cpu" in container["resources"]["requests"], f"{name}: resources")


def check_ports(name, documents, container):
    ports = {port["name"] for port in container["ports"]}
    for service in only(documents, "Service"):
        for port in service["spec"]["ports"]:
            check(port["targetPort"] in ports, f"{name}: {service['metadata']['name']} leads to {port['targetPort']}")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        get = container[probe]["httpGet"]
        check(get["port"] in ports, f"{name}: {probe}")
        equal(get["path"], "/readyz" if probe == "readinessProbe" else "/livez", f"{name}: {probe}")
    for ingress in only(documents, "Ingress"):
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        service = next(item for item in only(documents, "Service") if item["metadata"]["name"] == backend["name"])
        check(backend["port"]["number"] in [port["port"] for port in service["spec"]["ports"]], f"{name}: ingress")
    for monitor in only(documents, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        chosen = [item for item in only(documents, "Service") if wanted <= item["metadata"]["labels"].items()]
        equal(len(chosen), 1, f"{name}: the ServiceMonitor chooses one service")
        endpoint = monitor["spec"]["endpoints"][0]["port"]
        check(endpoint in [port["name"] for port in chosen[0]["spec"]["ports"]], f"{name}: its port")


def check_volumes(name, documents, pod, container):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    equal({mount["name"] for mount in container["volumeMounts"]}, set(volumes), f"{name}: volumes are mounted")
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    check("/tmp" in paths, f"{name}: what is written to is a volume")
    for entry in container["env"]:
        path = entry.get("value", "")
        check(not path.startswith("/") or {path, os.path.dirname(path)} & set(paths), f"{name}: {entry} is in a volume")
    claims = [item["metadata"]["name"] for item in only(documents, "PersistentVolumeClaim")]
    claim = volumes["data"].get("persistentVolumeClaim", {}).get("claimName")
    check(claim in (claims or [None, "disk"]), f"{name}: the claim {claim} of {claims}")


def check_strategy(name, documents, deployment, pod):
    local = "persistentVolumeClaim" in pod["volumes"][0]
    replicas = deployment.get("replicas") or only(documents, "HorizontalPodAutoscaler")[0]["spec"]["minReplicas"]
    if local:
        equal((replicas, deployment["strategy"]), (1, {"type": "Recreate"}), f"{name}: one process on a volume")
    else:
        equal(deployment["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1}, f"{name}: rolling")
        check(len(pod["topologySpreadConstraints"]) == 2, f"{name}: spread over nodes and zones")
    equal(len(only(documents, "PodDisruptionBudget")), int(replicas > 1), f"{name}: disruption budgets")
    drain = int(only(documents, "ConfigMap")[0]["data"]["ROADSTEAD_LIMITS_DRAIN_TIME"].rstrip("s"))
    pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    check(pod["terminationGracePeriodSeconds"] >= pause + drain + 5, f"{name}: time to end")


def check_secrets(name, documents, container):
    secrets = only(documents, "Secret")
    for entry in container["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference and secrets:
            equal(reference["name"], secrets[0]["metadata"]["name"], f"{name}: {entry['name']}")
            check(reference["key"] in secrets[0]["data"], f"{name}: {entry['name']}: {reference['key']} is in the secret")
    text = yaml.safe_dump([document for document in documents if document["kind"] != "Secret"])
    for secret in secrets:
        for key, value in (secret.get("data") or {}).items():
            plain = base64.b64decode(value).decode()
            check(plain not in text and value not in text, f"{name}: {key} is in the secret only")


def check_kinds():
    """What the examples are there to show is there."""
    examples = value_sets()
    rich = {document["kind"] for document in render(*examples["postgresql-s3"])}
    wanted = {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "Pod",
              "PodDisruptionBudget", "Service", "ServiceAccount", "ServiceMonitor"}
    equal(rich, wanted, "postgresql-s3")
    config = only(render(*examples["postgresql-s3"]), "ConfigMap")[0]["data"]
    equal(config["ROADSTEAD_STORAGE_URL"], "s3://images/production?endpoint=https://s3.example.org&region=eu-central-1", "URL")
    account = only(render(*examples["mysql-s3"]), "ServiceAccount")[0]
    check("eks.amazonaws.com/role-arn" in account["metadata"]["annotations"], "identity of the pods")
    first = only(render(*IMAGE), "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]
    second = only(render(*IMAGE, "--set", "config.ROADSTEAD_LOG_LEVEL=debug"), "Deployment")[0]["spec"]["template"]
    check(first["checksum/config"] != second["metadata"]["annotations"]["checksum/config"], "new settings, new pods")


def check_refusals():
    """Wrong values are refused before anything is installed, by schema or template, in words."""
    server = ["--set", "database.type=postgresql,storage.type=s3,storage.s3.bucket=images"]
    url = ["--set-string", "secrets.databaseUrl=postgresql://a:b@db/roadstead"]
    key = ["--set-string", "secrets.secretKey=" + SECRET_KEY]
    password = ["--set-string", "secrets.adminPassword=Admin12345word"]
    bucket = ["--set", "storage.type=s3,storage.s3.bucket=images"]
    for arguments, words in (
            ([], "image.repository is needed"),
            ([*IMAGE, "--set", "replicaCount=2"], "need a server database"),
            ([*IMAGE, "--set", "autoscaling.enabled=true"], "need a server database"),
            ([*IMAGE, *bucket, "--set", "replicaCount=2"], "need a server database"),
            ([*IMAGE, *server, *url, *key, *password, "--set", "storage.type=file,replicaCount=2"], "need storage.type s3"),
            ([*IMAGE, "--set", "storage.type=s3"], "storage.s3.bucket is needed"),
            ([*IMAGE, *server, *key, *password], "needs secrets.databaseUrl"),
            ([*IMAGE, *server, *url, *password], "needs secrets.secretKey"),
            ([*IMAGE, *server, *url, *key], "needs secrets.adminPassword"),
            ([*IMAGE, *server, *url, *key, *password, "--set", "database.type=mysql"], "does not begin with mysql://"),
            ([*IMAGE, *server, *url, *key, *password, "--set", "redis.enabled=true"], "needs secrets.redisUrl"),
            ([*IMAGE, *server, *url, "--set", "secrets.existingSecret=s"], "exclude each other"),
            ([*IMAGE, *bucket, "--set", "secrets.awsAccessKeyId=a"], "go together"),
            ([*IMAGE, "--set", "ingress.enabled=true"], "ingress.host or externalUrl"),
            ([*IMAGE, "--set", "metrics.enabled=false,metrics.serviceMonitor.enabled=true"], "needs metrics.enabled"),
            ([*IMAGE, *server, *url, *key, *password, "--set", "autoscaling.enabled=true,autoscaling.minReplicas=9"],
             "more than autoscaling.maxReplicas"),
            ([*IMAGE, "--set", "replicas=2"], "replicas"),
            ([*IMAGE, "--set", "replicaCount=0"], "replicaCount"),
            ([*IMAGE, "--set", "replicaCount=two"], "replicaCount"),
            ([*IMAGE, "--set", "image.tag=latest"], "tag"),
            ([*IMAGE, "--set", "database.type=oracle"], "type"),
            ([*IMAGE, "--set", "externalUrl=images.example.org"], "externalUrl"),
            ([*IMAGE, "--set", "externalUrl=https://a.example.org/path"], "externalUrl"),
            ([*IMAGE, "--set", "secrets.secretKey=short"], "secretKey"),
            ([*IMAGE, "--set", "podSecurityContext.runAsNonRoot=false"], "runAsNonRoot"),
            ([*IMAGE, "--set", "securityContext.privileged=true"], "privileged"),
            ([*IMAGE, "--set", "config.ROADSTEAD_ADMIN_PASSWORD=in-a-configmap"], "ROADSTEAD_ADMIN_PASSWORD"),
            ([*IMAGE, "--set", "config.log_level=debug"], "config"),
            ([*IMAGE, "--set", "service.port=99999"], "port"),
            ([*IMAGE, "--set", "roles[0]=everything"], "roles")):
        said = helm("helm3", "template", "r1", CHART, "--kube-version", "1.34.1", *arguments, ok=False)
        check(words in said, f"{arguments} should be refused with \"{words}\": {said[-500:]}")
    said = helm("helm3", "template", "r1", CHART, "--kube-version", "1.29.0", *IMAGE, ok=False)
    check("kubeVersion" in said, said[-300:])


def environment_of(documents):
    """What the container would find in its environment."""
    found = dict(only(documents, "ConfigMap")[0]["data"])
    secret = (only(documents, "Secret") or [{}])[0].get("data", {})
    for entry in only(documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        found[entry["name"]] = base64.b64decode(secret[reference["key"]]).decode() if reference else entry["value"]
    return found


def check_probes(server):
    """The paths that check_ports() found in the chart."""
    for path in ("/livez", "/readyz"):
        if has_path(server, path):
            equal(server.request("GET", path, authenticated=False)[0], 200, path)
        else:
            print(f"**** NOT CHECKED: this program has no {path} yet ****")


def start_small():
    documents = render(*value_sets()["small"], "--set-string", "secrets.adminPassword=Admin12345word")
    with scratch_folder() as scratch, ExampleServer(scratch, environment_of(documents)) as server:
        use_registry(server, "chart")
        equal(server.health(), 0, "health")
        status, _, text = server.request("GET", server.metrics_url, authenticated=False)
        check(status == 200 and b"roadstead_http_requests_total" in text, "metrics of their own listener")
        check_probes(server)
        equal(server.stop(), 0, "ends in time")
