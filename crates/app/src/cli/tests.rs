use super::*;
use clap::CommandFactory;

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_shows_two_examples() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.has_subcommands() {
            command
                .get_subcommands()
                .for_each(|inner| check(inner, &path));
        } else if !command.is_hide_set() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples = help
                .lines()
                .filter(|line| line.contains("interline "))
                .count();
            assert_eq!(examples, 2, "{path}");
        }
    }
    check(&Cli::command(), "");
}

#[test]
fn examples_parse() {
    fn check(command: &mut clap::Command) {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            let line = line
                .trim()
                .trim_start_matches("KEY=$(")
                .trim_end_matches(')');
            let line = line.split('>').next().unwrap();
            let words = line.split_whitespace().map(|word| word.trim_matches('\''));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
        command.get_subcommands_mut().for_each(check);
    }
    check(&mut Cli::command());
}

#[test]
fn an_account_may_be_left_out() {
    let grant = |arguments: &[&str]| {
        let all = ["interline", "credits", "grant"].iter().chain(arguments);
        match Cli::try_parse_from(all).map(|cli| cli.verb) {
            Ok(Verb::Credits(CreditsVerb::Grant {
                account, amount, ..
            })) => Some((account, amount)),
            _ => None,
        }
    };
    assert_eq!(grant(&["5"]), Some((None, Money::from_dollars(5))));
    let named = (Some("acct_x".to_owned()), Money::from_dollars(5));
    assert_eq!(grant(&["acct_x", "$5"]), Some(named));
    assert_eq!(grant(&["acct_x"]), None);
}

#[test]
fn global_options_stand_anywhere() {
    let cli = Cli::try_parse_from(["interline", "keys", "list", "--json", "--data-dir", "x"]);
    let global = cli.unwrap().global;
    assert!(global.json && global.data_dir.is_some());
    let cli = Cli::try_parse_from(["interline", "--quiet", "serve", "--role", "gateway,jobs"]);
    let cli = cli.unwrap();
    assert!(cli.global.quiet);
    assert!(matches!(cli.verb, Verb::Serve(serve) if serve.role == [Role::Gateway, Role::Jobs]));
}

#[test]
fn limits_are_read() {
    let check = |text: &str, expected: Option<(&str, Option<LimitReset>)>| {
        let limit = expected.map(|(amount, reset)| Limit {
            amount: Money::parse(amount).unwrap(),
            reset,
        });
        assert_eq!(parse_limit(text).ok(), limit, "{text}");
    };
    check("5/day", Some(("5", Some(LimitReset::Daily))));
    check("$0.50/daily", Some(("0.5", Some(LimitReset::Daily))));
    check("20/week", Some(("20", Some(LimitReset::Weekly))));
    check("100/month", Some(("100", Some(LimitReset::Monthly))));
    check("7", Some(("7", None)));
    for wrong in ["", "0", "-1", "5/", "5/hour", "five", "5/day/day"] {
        check(wrong, None);
    }
}

#[test]
fn spans_are_read() {
    let check = |text: &str, seconds: Option<u64>| {
        assert_eq!(
            parse_span(text).ok(),
            seconds.map(Duration::from_secs),
            "{text}"
        );
    };
    check("30s", Some(30));
    check("15m", Some(900));
    check("12h", Some(43_200));
    check("90d", Some(7_776_000));
    check("2w", Some(1_209_600));
    check("1y", Some(31_536_000));
    for wrong in [
        "",
        "d",
        "90",
        "0d",
        "-1d",
        "1.5h",
        "90 days",
        "9€",
        "99999999999d",
    ] {
        check(wrong, None);
    }
}
