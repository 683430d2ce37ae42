use super::{Behaviour, Fault, Script, Text, Tools, What, wishes, without_wishes};

fn amended(wish: &str) -> Behaviour {
    Script {
        name: "alpha".to_owned(),
        ..Script::default()
    }
    .behaviour_of("any", &[wish])
}

#[test]
fn wishes_change_the_behaviour() {
    let fault = |fault: Fault| Behaviour {
        faults: vec![fault],
        ..Behaviour::default()
    };
    for (wish, expected) in [
        (
            "text=story",
            Behaviour {
                text: Text::Story,
                ..Behaviour::default()
            },
        ),
        (
            "indexed=3,tag=t",
            Behaviour {
                text: Text::Indexed(3),
                tag: "t".into(),
                ..Behaviour::default()
            },
        ),
        (
            "tools=offered",
            Behaviour {
                tools: Tools::Offered,
                ..Behaviour::default()
            },
        ),
        ("at=beta,text=story", Behaviour::default()),
        (
            "at=alpha,tps=5",
            Behaviour {
                tokens_per_second: Some(5),
                ..Behaviour::default()
            },
        ),
        ("nonsense=1,chunks=x", Behaviour::default()),
        (
            "fault=status,status=429,retry_after_s=2",
            fault(Fault {
                what: What::Status,
                status: Some(429),
                retry_after_s: Some(2),
                ..Fault::default()
            }),
        ),
        (
            "fault=reset_mid_stream,after=3",
            fault(Fault {
                what: What::ResetMidStream,
                after: 3,
                ..Fault::default()
            }),
        ),
    ] {
        assert_eq!(amended(wish), expected, "{wish}");
    }
}

#[test]
fn wishes_are_found_and_removed() {
    for (text, found, plain) in [
        ("no wish", vec![], "no wish"),
        ("SIM:a=1; hello", vec!["a=1"], " hello"),
        ("x SIM:a=1;y SIM:b=2;z", vec!["a=1", "b=2"], "x y z"),
        ("open SIM:a=1", vec![], "open SIM:a=1"),
    ] {
        assert_eq!(wishes(text).collect::<Vec<_>>(), found, "{text}");
        assert_eq!(without_wishes(text), plain, "{text}");
    }
}

#[test]
fn conditions_must_all_hold() {
    let base = Fault {
        what: What::Reset,
        ..Fault::default()
    };
    for (fault, struck) in [
        (base.clone(), vec![1, 2, 3, 4]),
        (
            Fault {
                fail_first: Some(2),
                ..base.clone()
            },
            vec![1, 2],
        ),
        (
            Fault {
                every: Some(2),
                ..base.clone()
            },
            vec![2, 4],
        ),
        (
            Fault {
                only: vec![3],
                ..base.clone()
            },
            vec![3],
        ),
        (
            Fault {
                every: Some(2),
                fail_first: Some(2),
                ..base.clone()
            },
            vec![2],
        ),
        (
            Fault {
                probability: Some(0.4),
                ..base.clone()
            },
            vec![],
        ),
        (
            Fault {
                credential: Some("xyz".into()),
                ..base.clone()
            },
            vec![],
        ),
        (
            Fault {
                what: What::None,
                ..base
            },
            vec![],
        ),
    ] {
        let hits: Vec<u64> = (1..=4)
            .filter(|number| fault.strikes(*number, "key-abc", 0.5))
            .collect();
        assert_eq!(hits, struck, "{fault:?}");
    }
}

#[test]
fn scripts_are_toml_and_typos_are_refused() {
    let script: Script = toml::from_str(
        "keys = ['k']\n[behaviour]\ntext = { tokens = 5 }\n[models.m]\nfaults = [{ what = 'hang', every = 2 }]",
    )
    .unwrap();
    assert_eq!(script.behaviour.text, Text::Tokens(5));
    assert_eq!(script.models["m"].faults[0].what, What::Hang);
    assert!(toml::from_str::<Script>("[behaviour]\nchunk_delay = 3").is_err());
}
