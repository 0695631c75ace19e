//! Mistakes that people make: refused by the parser, and by the schema where a schema can say it.

use super::judges::{fits, reads, yaml};

/// Bundles that both refuse.
const BROKEN: [&str; 54] = [
    "name: Acme",
    "tenant: Acme",
    "tenant: acme\npersona: {}",
    "tenant: acme\nname: ''",
    "tenant: acme\nproviderKey: sk-123",
    "tenant: acme\nproviderKey: {env: A, file: b}",
    "tenant: acme\nproviderKey: {stored: false}",
    "tenant: acme\nsecrets: {crm: sk-123}",
    "tenant: acme\nsecrets: {CRM: {env: A}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, tools: [{type: server, subtype: webhook, name: a, method: GET, url: 'https://a.example/${secret:A}'}]}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, tools: [{type: server, subtype: webhook, name: a, method: GET, url: 'https://a.example', headers: {A: '${secret:a'}}]}}",
    "tenant: acme\npolicy: {timeZone: Berlin}",
    "tenant: acme\npolicy: {retainInputsDays: 4000}",
    "tenant: acme\npolicy: {allowedOrigins: ['*']}",
    "tenant: acme\npolicy: {allowedOrigins: ['https://app.acme.example/']}",
    "tenant: acme\npolicy: {allowedOrigins: ['https://*.acme.example']}",
    "tenant: acme\npolicy: {preferences: {tone: {maxLength: 5}}}",
    "tenant: acme\npolicy: {preferences: {level: {values: []}}}",
    "tenant: acme\npolicy: {preferences: {level: {minimum: 1}}}",
    "tenant: acme\npolicy: {defaults: {name: Liv}}",
    "tenant: acme\npolicy: {locks: {languageCode: english}}",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b]}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b, b], keys: {jwks: {keys: []}}}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {sharedSecret: true}}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}}, secret: {env: X}}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}}, algorithms: [HS256]}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {sharedSecret: true}, secret: {env: X}, algorithms: [RS256]}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}, discovery: true}}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}}, claims: {Plan: plan}}]",
    "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}}, claims: {plan: /a~2}}]",
    "tenant: acme\ncatalogue: {hats: []}",
    "tenant: acme\ncatalogue: {avatars: [{id: x}]}",
    "tenant: acme\nsnippets: {Rules: {text: x}}",
    "tenant: acme\nsnippets: {rules: {txt: x}}",
    "tenant: acme\npersonas: {guide: {name: Guide}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, avatarID: y}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, avatarId: Liv}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, overridable: [name]}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, snippets: {rules: 0}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, avatarModel: cara-3, directorNotes: {expressivity: 1}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, avatarModel: cara-3, sessionOptions: {videoWidth: 1152, videoHeight: 768}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, sessionOptions: {videoWidth: 720}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, sessionOptions: {regionPolicy: strict}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, voiceGenerationOptions: {stability: 1, emotion: calm}}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, tools: [{type: server, name: a}]}}",
    "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, voiceDetectionOptions: {endOfSpeechSensitivity: null}}}",
    "tenant: acme\nsnippets: {rules: {text: x, tests: [{name: a}]}}",
    "tenant: acme\nsnippets: {rules: {text: x, tests: [{name: a, expect: {}}]}}",
    "tenant: acme\nsnippets: {rules: {text: x, tests: [{name: a, user: {sample: b, facts: {}}, expect: {promptMaxChars: 9}}]}}",
    "tenant: acme\nsampleUsers: {newcomer: {facts: {Plan: pro}}}",
    "tenant: acme\ncontexts: {support: {}}",
    "tenant: acme\ncontexts: {support: {default: guide, rules: [{name: a, when: [{attribute: plan, operator: equals, values: [x]}], then: {persona: b}}]}}",
    "tenant: acme\ncontexts: {support: {default: {split: [{persona: a, weight: 0}, {persona: b, weight: 0}]}}}",
    "tenant: acme\ncontexts: {support: {default: guide, metadata: {type: text}}}",
];

/// Bundles that only the parser refuses, and why the schema can't.
const BEYOND: [(&str, &str); 10] = [
    (
        "tenant: acme\npersonas: {guide: {name: G, systemPrompt: '{{ nothing.here }}'}}",
        "templates are a language of their own",
    ),
    (
        "tenant: acme\nsnippets: {rules: {text: '{% if %}'}}",
        "templates are a language of their own",
    ),
    (
        "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {discovery: true}}]",
        "that `a` is no URL depends on another member",
    ),
    (
        "tenant: acme\nissuers: [{issuer: a, audiences: [b], keys: {jwks: {keys: []}}}, {issuer: a, audiences: [b], keys: {jwks: {keys: []}}}]",
        "uniqueness over several members",
    ),
    (
        "tenant: acme\ncontexts: {one: {default: a, aliases: [two]}, two: {default: a}}",
        "uniqueness over several members",
    ),
    (
        "tenant: acme\ncatalogue: {avatars: [{id: x, name: a}, {id: x, name: b}]}",
        "uniqueness by one member of an item",
    ),
    (
        "tenant: acme\npolicy: {preferences: {level: {minimum: 2, maximum: 1}}}",
        "numbers that compare with each other",
    ),
    (
        "tenant: acme\ncontexts: {support: {default: guide, metadata: {$ref: 'https://elsewhere.example/'}}}",
        "references anywhere inside another schema",
    ),
    (
        "tenant: acme\nsnippets: {rules: {text: x, tests: [{name: a, expect: {promptMaxChars: 9}}, {name: a, expect: {promptMaxChars: 8}}]}}",
        "uniqueness by one member of an item",
    ),
    (
        "tenant: acme\npersonas: {guide: {name: G, systemPrompt: x, tools: [{type: client, name: a, description: '${secret:a}'}]}}",
        "a text anywhere inside another",
    ),
];

#[test]
fn what_the_parser_refuses_the_schema_refuses() {
    for text in BROKEN {
        let bundle = yaml(text);
        assert!(!reads(&bundle), "the parser takes {text}");
        assert!(!fits(&bundle), "the schema takes {text}");
    }
}

#[test]
fn what_a_schema_cannot_say_is_left_to_the_parser() {
    for (text, why) in BEYOND {
        let bundle = yaml(text);
        assert!(!reads(&bundle), "the parser takes {text}");
        assert!(
            fits(&bundle),
            "the schema can say it after all ({why}): {text}"
        );
    }
}
