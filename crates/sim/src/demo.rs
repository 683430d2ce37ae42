//! The provider `demo` of a first run: one simulated provider, its behaviours by model name.

use crate::script::{Behaviour, Fault, Script, Text, Tools, What};

/// Serves `echo`, `story`, `tools`, `vision`, `embed`, and the troubles `flaky`, `slow`, `cut` and
/// `429`. Without keys: the demo asks for no credential.
pub fn demo_scripts() -> Script {
    let mut script = Script {
        name: "demo".to_owned(),
        ..Script::default()
    };
    for (model, behaviour) in [
        ("echo", Behaviour::default()),
        (
            "story",
            Behaviour {
                tokens_per_second: Some(30),
                text: Text::Story,
                ..quick()
            },
        ),
        (
            "tools",
            Behaviour {
                tools: Tools::Offered,
                ..quick()
            },
        ),
        (
            "vision",
            Behaviour {
                text: Text::Report,
                ..quick()
            },
        ),
        ("embed", Behaviour::default()),
        (
            "flaky",
            troubled(Fault {
                status: Some(503),
                every: Some(2),
                ..fault(What::Status)
            }),
        ),
        ("slow", slow()),
        (
            "cut",
            troubled(Fault {
                after: 20,
                ..fault(What::CloseMidStream)
            }),
        ),
        ("429", troubled(rate_limited())),
    ] {
        script.models.insert(model.to_owned(), behaviour);
    }
    script
}

fn quick() -> Behaviour {
    Behaviour {
        first_byte_delay_ms: 120,
        chunk_delay_ms: 12,
        ..Behaviour::default()
    }
}

fn slow() -> Behaviour {
    Behaviour {
        first_byte_delay_ms: 3_000,
        tokens_per_second: Some(4),
        text: Text::Story,
        ..Behaviour::default()
    }
}

fn fault(what: What) -> Fault {
    Fault {
        what,
        ..Fault::default()
    }
}

fn rate_limited() -> Fault {
    Fault {
        status: Some(429),
        retry_after_s: Some(20),
        ..fault(What::Status)
    }
}

fn troubled(fault: Fault) -> Behaviour {
    Behaviour {
        text: Text::Story,
        faults: vec![fault],
        ..quick()
    }
}
