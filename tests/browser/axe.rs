//! Accessibility, as axe-core judges it: its rules find a good part of what a person with a screen reader or a keyboard would stumble over.

use std::sync::OnceLock;

use fantoccini::Client;
use serde_json::Value;

use crate::npm::Package;

const AXE: Package = Package {
    name: "axe-core@4.14.1",
    file: "axe-core-4.14.1.tgz",
    integrity: "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
};

const ASK: &str = "
    const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then(
        ({ violations }) => done(violations.flatMap(({ id, nodes }) =>
            nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`))),
        (error) => done([String(error)]),
    );
";

/// What axe finds against the page as it is now, shadow roots included; nothing, if all is well.
pub(crate) async fn violations(browser: &Client) -> Vec<String> {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    let script = SCRIPT.get_or_init(|| {
        String::from_utf8(AXE.member("package/axe.min.js")).expect("a script is text")
    });
    // The driver brings it in, so no policy of the page is in its way.
    let loaded = browser.execute(script, Vec::new()).await;
    loaded.expect("axe is loaded");
    let found = browser.execute_async(ASK, Vec::new()).await;
    let Value::Array(found) = found.expect("axe answers") else {
        panic!("axe answers with a list");
    };
    let found = found.iter().filter_map(Value::as_str);
    found.map(ToOwned::to_owned).collect()
}
