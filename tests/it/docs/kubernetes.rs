//! deploy/kubernetes/: against the published schemas, and against the program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use persona_gateway::config::Settings;
use serde_json::{Value, json};

use crate::harness::app::MASTER_KEY;
use crate::harness::cli::Folder;
use crate::harness::npm;

/// From the oldest that managed clusters still have to the newest that there are schemas of.
const VERSIONS: [&str; 3] = ["1.29", "1.33", "1.37"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes")
}

/// Each resource with its file and what is wrong with it.
fn judged(files: &BTreeMap<String, String>) -> Vec<Value> {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let files_of_it = ["requirements.txt", "validate.py"];
    let place = PLACE.get_or_init(|| npm::installed_by_pip("kubernetes", &files_of_it));
    let mut child = Command::new("python3")
        .arg("validate.py")
        .args(VERSIONS)
        .current_dir(place)
        .env("PYTHONPATH", place.join("packages"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(json!(files).to_string().as_bytes())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "validate.py failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn manifests() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, std::fs::read_to_string(path).unwrap());
    }
    files
}

/// The resource of this kind and name.
fn of<'a>(found: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let resources = found.iter().map(|one| &one["resource"]);
    let mut same = resources.filter(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    same.next().unwrap_or_else(|| panic!("{kind}/{name}"))
}

#[test]
fn the_manifests_are_valid_by_the_published_schemas_and_all_of_them_are_listed() {
    let mut files = manifests();
    let list = files.remove("kustomization.yaml").expect("there is a list");
    let listed: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|item| Path::new(item).extension().is_some_and(|end| end == "yaml"))
        .collect();
    assert_eq!(listed, files.keys().map(String::as_str).collect());
    for one in judged(&files) {
        assert_eq!(one["wrong"], json!([]), "{}", one["file"]);
    }
    // A mistake would be found.
    let spoilt = files["gateway.yaml"].replace("readinessProbe", "readynessProbe");
    let spoilt = judged(&BTreeMap::from([("spoilt.yaml".to_owned(), spoilt)]));
    assert_ne!(spoilt[0]["wrong"], json!([]));
}

#[test]
fn what_the_manifests_say_is_what_the_program_takes() {
    let mut files = manifests();
    files.remove("kustomization.yaml");
    let found = judged(&files);
    let deployment = of(&found, "Deployment", "persona-gateway");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];

    // Settings by their names, secrets as files where they are mounted.
    let mounted = of(&found, "Secret", "persona-gateway")["stringData"]
        .as_object()
        .unwrap();
    let secrets = Folder::new();
    let mut environment = BTreeMap::new();
    let settings = of(&found, "ConfigMap", "persona-gateway")["data"]
        .as_object()
        .unwrap();
    for (name, value) in settings {
        environment.insert(name.clone(), value.as_str().unwrap().to_owned());
    }
    for variable in container["env"].as_array().unwrap() {
        let (name, value) = (
            variable["name"].as_str().unwrap(),
            variable["value"].as_str().unwrap(),
        );
        let value = match value.strip_prefix("/run/secrets/gateway/") {
            Some(key) => {
                let template = mounted[key].as_str().unwrap();
                let text = if name.contains("MASTER_KEY") {
                    MASTER_KEY
                } else {
                    template
                };
                secrets.write(key, text)
            }
            None => value.to_owned(),
        };
        environment.insert(name.to_owned(), value);
    }
    let settings = Settings::load(&environment, Path::new("config")).unwrap();
    assert!(settings.database.direct_url.is_some());
    assert!(settings.limits.redis.is_some());

    // Time to stop, and to be noticed before.
    let text = settings.effective();
    let of_key = |key: &str| -> u64 {
        let line = text.lines().find(|line| line.trim_start().starts_with(key));
        let value = line.unwrap().split('=').nth(1).unwrap();
        let value = value.split('#').next().unwrap();
        value.trim().trim_matches('"').parse().unwrap()
    };
    let (drain, shutdown) = (of_key("drain_grace_ms "), of_key("shutdown_timeout_ms "));
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace >= (drain + shutdown) / 1000 + 6);
    let probe = &container["readinessProbe"];
    let unready =
        probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
    assert!(drain / 1000 > unready);

    // Ports, and who is chosen.
    let port = |name: &str| {
        let ports = container["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == name).unwrap();
        port["containerPort"].as_u64().unwrap()
    };
    assert_eq!(
        (port("http"), port("operations")),
        (of_key("port "), of_key("ops_port "))
    );
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "operations");
    }
    let label = &deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"];
    let service = of(&found, "Service", "persona-gateway");
    assert_eq!(
        &service["spec"]["selector"]["app.kubernetes.io/name"],
        label
    );
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    let budget = of(&found, "PodDisruptionBudget", "persona-gateway");
    assert_eq!(
        &budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"],
        label
    );
    let autoscaler = of(&found, "HorizontalPodAutoscaler", "persona-gateway");
    assert_eq!(
        autoscaler["spec"]["scaleTargetRef"]["name"],
        deployment["metadata"]["name"]
    );

    // Neither pod may do more than it has to.
    let job = of(&found, "Job", "persona-gateway-migrate");
    for pod in [pod, &job["spec"]["template"]["spec"]] {
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    }
}
