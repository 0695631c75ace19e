//! The table of token attacks: the form of parts, JSON texts and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use persona_gateway::auth::Refusal;
use serde_json::json;

use crate::cases::{all_refused, case, with_claims, with_header};
use crate::kit::{EC, ED, ISSUER, NOW, b64, claims, claims_with, inline_config, signers};

#[test]
fn names_that_stand_twice_are_refused() {
    let mut cases = Vec::new();
    let good = claims().to_string();
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("aud", json!("app")),
        ("sub", json!("user-1")),
        ("exp", json!(NOW + 600)),
        ("iat", json!(NOW)),
        ("plan", json!("gold")),
    ] {
        let mut base = claims();
        base[name] = value.clone();
        let base = base.to_string();
        let escaped = name.bytes().fold(String::new(), |text, byte| {
            text + &format!("\\u00{byte:02x}")
        });
        for spelled in [name.to_owned(), escaped] {
            let first = base.replacen('{', &format!("{{\"{spelled}\":{value},"), 1);
            cases.push(case(
                format!("{spelled} first"),
                with_claims(first),
                Refusal::Malformed,
            ));
            let evil = base.replacen('{', &format!("{{\"{spelled}\":\"evil\","), 1);
            cases.push(case(
                format!("{spelled} evil first"),
                with_claims(evil),
                Refusal::Malformed,
            ));
            let last = format!(
                "{},\"{spelled}\":{value}}}",
                base.strip_suffix('}').unwrap()
            );
            cases.push(case(
                format!("{spelled} last"),
                with_claims(last),
                Refusal::Malformed,
            ));
        }
    }
    let nested = good.replacen('{', r#"{"app_metadata":{"plan":"free","plan":"gold"},"#, 1);
    cases.push(case("nested", with_claims(nested), Refusal::Malformed));
    let in_list = good.replacen('{', r#"{"x":[{"a":1,"\u0061":2}],"#, 1);
    cases.push(case("in a list", with_claims(in_list), Refusal::Malformed));
    for header in [
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"none","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"ed","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"ed","typ":"JWT","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"ed","x":{"a":1,"a":1}}"#,
    ] {
        cases.push(case(header, with_header(header), Refusal::Malformed));
    }
    all_refused(&cases, &inline_config(), 44);
}

#[test]
fn only_three_parts_of_strict_base64url_are_a_token() {
    let mut cases = Vec::new();
    for (kid, signer) in signers() {
        let good = signer.good(kid);
        let parts: Vec<&str> = good.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            panic!()
        };
        for (name, token) in [
            ("empty", String::new()),
            ("dots", "..".to_owned()),
            ("one part", header.to_owned()),
            ("two parts", format!("{header}.{payload}")),
            ("four parts", format!("{good}.{signature}")),
            ("five parts", format!("{header}.{payload}.{signature}.{signature}.{signature}")),
            ("leading dot", format!(".{good}")),
            ("trailing dot", format!("{good}.")),
            ("doubled dot", format!("{header}..{payload}.{signature}")),
            ("no header", format!(".{payload}.{signature}")),
            ("no payload", format!("{header}..{signature}")),
            ("no signature", format!("{header}.{payload}.")),
            ("leading space", format!(" {good}")),
            ("trailing space", format!("{good} ")),
            ("trailing line end", format!("{good}\n")),
            ("trailing NUL", format!("{good}\0")),
            ("scheme", format!("Bearer {good}")),
            ("quotes", format!("\"{good}\"")),
            ("two tokens", format!("{good} {good}")),
            ("two tokens, comma", format!("{good},{good}")),
            ("JSON serialisation", json!({"protected": header, "payload": payload, "signature": signature}).to_string()),
            ("general JSON serialisation", json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}).to_string()),
            ("not ASCII", format!("{header}.{payload}.{signature}ä")),
            ("percent", format!("{header}%2E{payload}%2E{signature}")),
            ("full width dot", format!("{header}\u{ff0e}{payload}\u{ff0e}{signature}")),
        ] {
            cases.push(case(format!("{kid}: {name}"), token, Refusal::Malformed));
        }
        for index in 0..3 {
            let with = |part: String| {
                let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
                parts[index] = part;
                parts.join(".")
            };
            let part = parts[index];
            let (head, tail) = part.split_at(4);
            let rest = tail.split_at(1).1;
            for (name, changed) in [
                ("padding", format!("{part}=")),
                ("more padding", format!("{part}==")),
                ("space inside", format!("{head} {tail}")),
                ("line end inside", format!("{head}\n{tail}")),
                ("plus", format!("{head}+{rest}")),
                ("slash", format!("{head}/{rest}")),
                ("tilde", format!("{head}~{rest}")),
                ("NUL inside", format!("{head}\0{tail}")),
            ] {
                cases.push(case(
                    format!("{kid}: {name} in part {index}"),
                    with(changed),
                    Refusal::Malformed,
                ));
            }
            if let Some(changed) = trailing_bits(part) {
                cases.push(case(
                    format!("{kid}: trailing bits in part {index}"),
                    with(changed),
                    Refusal::Malformed,
                ));
            }
        }
    }
    all_refused(&cases, &inline_config(), 147);
}

/// The same bytes with a spare bit of the last character set; `None` where there is none.
fn trailing_bits(part: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if part.len().is_multiple_of(4) {
        return None;
    }
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.find(last)?;
    let next = ALPHABET.chars().nth(index + 1)?;
    Some(format!("{rest}{next}"))
}

#[test]
fn parts_that_are_no_strict_objects_are_refused() {
    let mut cases = Vec::new();
    let header = b64(ED.header("ed").to_string());
    let good = claims().to_string();
    let latin1 = [
        good.strip_suffix('}').unwrap().as_bytes(),
        b",\"x\":\"\xE9\"}",
    ]
    .concat();
    let texts: [(&str, Vec<u8>); 15] = [
        ("list", format!("[{good}]").into_bytes()),
        ("text", json!(good).to_string().into_bytes()),
        ("number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("empty", b" ".to_vec()),
        ("BOM", [b"\xEF\xBB\xBF", good.as_bytes()].concat()),
        ("two objects", format!("{good}{good}").into_bytes()),
        ("rest", format!("{good}x").into_bytes()),
        ("NUL after", format!("{good}\0").into_bytes()),
        ("cut", good.strip_suffix('}').unwrap().as_bytes().to_vec()),
        ("single quotes", good.replace('"', "'").into_bytes()),
        ("comment", good.replacen('{', "{/* */", 1).into_bytes()),
        ("trailing comma", good.replace('}', ",}").into_bytes()),
        ("Latin-1", latin1),
        (
            "lone surrogate",
            good.replace("user-1", "\\ud800").into_bytes(),
        ),
    ];
    for (name, text) in texts {
        // One claim that holds half a character is passed over, and here it is the one that matters.
        let (of_payload, of_header) = if name == "lone surrogate" {
            (Refusal::Subject, Refusal::Algorithm)
        } else {
            (Refusal::Malformed, Refusal::Malformed)
        };
        cases.push(case(
            format!("payload {name}"),
            ED.token_of_parts(&header, &b64(&text)),
            of_payload,
        ));
        cases.push(case(
            format!("header {name}"),
            ED.token_of_parts(&b64(&text), &b64(&good)),
            of_header,
        ));
    }
    for levels in [32, 33, 100, 2000] {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        cases.push(case(
            format!("payload of {levels} levels"),
            with_claims(&deep),
            Refusal::Malformed,
        ));
        cases.push(case(
            format!("header of {levels} levels"),
            with_header(&deep),
            Refusal::Malformed,
        ));
    }
    for size in [16_385, 65_536, 1_000_000] {
        cases.push(case(
            format!("{size} bytes"),
            "a".repeat(size),
            Refusal::TooLarge,
        ));
    }
    let padded = with_claims(claims_with("x", json!("x".repeat(16_384))));
    cases.push(case(
        "a good token that is too long",
        padded,
        Refusal::TooLarge,
    ));
    all_refused(&cases, &inline_config(), 42);
}

#[test]
fn signatures_in_other_forms_are_refused() {
    let mut cases = Vec::new();
    for (kid, signer) in signers() {
        let (input, signature) = split(&signer.good(kid));
        let length = signature.len();
        let mut forms: Vec<(String, Vec<u8>)> = vec![
            ("zeroes".to_owned(), vec![0; length]),
            ("ones".to_owned(), vec![0xFF; length]),
            ("one byte".to_owned(), vec![1]),
            (
                "cut at the end".to_owned(),
                signature[..length - 1].to_vec(),
            ),
            ("cut at the start".to_owned(), signature[1..].to_vec()),
            ("a byte more".to_owned(), [&signature[..], &[0]].concat()),
            ("a byte before".to_owned(), [&[0], &signature[..]].concat()),
            (
                "twice".to_owned(),
                [&signature[..], &signature[..]].concat(),
            ),
            (
                "halves swapped".to_owned(),
                [&signature[length / 2..], &signature[..length / 2]].concat(),
            ),
            (
                "reversed".to_owned(),
                signature.iter().rev().copied().collect(),
            ),
            (
                "of another token".to_owned(),
                split(&signer.token(signer.header(kid), claims_with("sub", json!("user-2")))).1,
            ),
            ("as text".to_owned(), b64(&signature).into_bytes()),
        ];
        for bit in (0..length * 8).step_by(length / 2 + 1) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            forms.push((format!("bit {bit}"), flipped));
        }
        for (form, bytes) in forms {
            cases.push(case(
                format!("{kid} {form}"),
                format!("{input}.{}", b64(bytes)),
                Refusal::Signature,
            ));
        }
        for (name, header, payload) in [
            (
                "another payload",
                b64(signer.header(kid).to_string()),
                b64(claims_with("sub", json!("admin")).to_string()),
            ),
            (
                "another header",
                b64(json!({"kid": kid, "alg": signer.alg()}).to_string()),
                b64(claims().to_string()),
            ),
        ] {
            cases.push(case(
                format!("{kid} {name}"),
                format!("{header}.{payload}.{}", b64(&signature)),
                Refusal::Signature,
            ));
        }
    }
    all_refused(&cases, &inline_config(), 80);
}

#[test]
fn signatures_that_other_libraries_let_pass_are_refused() {
    let mut cases = Vec::new();
    let (input, signature) = split(&EC.good("ec"));
    let (r, s) = signature.split_at(32);
    let der = der_of(r, s);
    let order = P256_ORDER.to_vec();
    for (form, bytes) in [
        ("DER", der),
        ("r = 0", [&[0; 32], s].concat()),
        ("s = 0", [r, &[0; 32]].concat()),
        ("r = n", [&order, s].concat()),
        ("s = n", [r, &order].concat()),
        ("r = n, s = n", [order.clone(), order.clone()].concat()),
        ("r = 1, s = 1", [one(), one()].concat()),
        ("63 bytes", [&r[1..], s].concat()),
        ("66 bytes", [&[0], r, &[0], s].concat()),
        ("96 bytes", [&[0; 16], r, &[0; 16], s].concat()),
    ] {
        cases.push(case(
            format!("ES256 {form}"),
            format!("{input}.{}", b64(bytes)),
            Refusal::Signature,
        ));
    }
    let (input, signature) = split(&ED.good("ed"));
    let (point, scalar) = signature.split_at(32);
    for (form, bytes) in [
        ("S + L", [point, &plus_order(scalar)].concat()),
        ("R and S zero", vec![0; 64]),
        ("identity and zero", [&[1][..], &[0; 63]].concat()),
    ] {
        cases.push(case(
            format!("EdDSA {form}"),
            format!("{input}.{}", b64(bytes)),
            Refusal::Signature,
        ));
    }
    all_refused(&cases, &inline_config(), 13);
}

/// The signed text and the bytes of the signature.
fn split(token: &str) -> (String, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
    0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

fn one() -> Vec<u8> {
    let mut one = vec![0; 32];
    one[31] = 1;
    one
}

/// A good ES256 token with n - s in the place of s: legal, so no replay guard may trust one spelling.
pub(crate) fn high_s() -> String {
    let (input, mut signature) = split(&EC.good("ec"));
    let mut borrow = 0;
    for index in (0..32).rev() {
        let digit = i16::from(P256_ORDER[index]) - i16::from(signature[32 + index]) - borrow;
        borrow = i16::from(digit < 0);
        signature[32 + index] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    format!("{input}.{}", b64(signature))
}

fn der_of(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let padded = [&[0], bytes].concat();
        [&[2, u8::try_from(padded.len()).unwrap()], &padded[..]].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

/// Adds the order of Ed25519's group to a little-endian scalar.
fn plus_order(scalar: &[u8]) -> Vec<u8> {
    let mut order = [0_u8; 32];
    order[..16].copy_from_slice(&[
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14,
    ]);
    order[31] = 0x10;
    let mut carry = 0;
    let add = |(a, b): (&u8, &u8)| {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        carry = sum >> 8;
        u8::try_from(sum & 0xFF).unwrap()
    };
    scalar.iter().zip(&order).map(add).collect()
}
