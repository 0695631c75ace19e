use super::*;

fn parse(document: &Value) -> Result<SampleUser, Vec<Fault>> {
    SampleUser::parse(document.as_object().unwrap())
}

#[test]
fn a_sample_user_reads_back_as_it_was_written() {
    let document = json!({
        "subject": "ann",
        "facts": { "plan": "gold", "seats": 3, "admin": true, "roles": ["a", "b"] },
        "preferences": { "displayName": "Ann", "systemPrompt": "One.\nTwo." },
    });
    let user = parse(&document).unwrap();
    assert_eq!(Value::Object(user.to_document()), document);
    assert_eq!(parse(&json!({})).unwrap(), SampleUser::default());
}

#[test]
fn every_fault_of_a_sample_user_is_told_at_once() {
    let faults = parse(&json!({
        "subject": "",
        "facts": { "plan": null, "Plan": "gold", "deep": { "a": 1 }, "long": "x".repeat(501) },
        "preferences": { "tone": ["a"], "a b": "x", "note": "\u{202e}" },
        "email": "x",
    }))
    .unwrap_err();
    let places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/subject",
            "/facts/plan",
            "/facts/Plan",
            "/facts/deep",
            "/facts/long",
            "/preferences/tone",
            "/preferences/a b",
            "/preferences/note",
            "/email"
        ]
    );
}

#[test]
fn a_user_without_a_subject_is_the_same_one_each_time() {
    let tenant = TenantId(Uuid::nil());
    let nobody = SampleUser::default();
    assert_eq!(nobody.caller(tenant).subject, nobody.caller(tenant).subject);
}
