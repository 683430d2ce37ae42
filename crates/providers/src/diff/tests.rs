use super::*;
use crate::source::{Overlay, Source};
use std::borrow::Cow;

fn catalogue(endpoints: &str) -> Catalogue {
    let text = format!(
        "[provider]\nslug = \"acme\"\ndialect = \"openai-chat\"\nbase_url = \"https://a.example\"\n\
         [[models]]\nid = \"acme/a\"\n[[models]]\nid = \"acme/b\"\n{endpoints}"
    );
    let source = Source::from_files([("x.toml".to_owned(), Cow::Owned(text))]).expect("sound");
    crate::build(&source, &Overlay::default(), &|_| true)
        .expect("a catalogue")
        .catalogue
}

fn endpoint(model: &str, fields: &str) -> String {
    format!("[[endpoints]]\nmodel = \"{model}\"\nprovider = \"acme\"\n{fields}\n")
}

#[test]
fn nothing_changed() {
    let same = catalogue(&endpoint(
        "acme/a",
        "pricing = { prompt = \"1\", completion = \"1\" }",
    ));
    assert!(diff(&same, &same).is_empty());
    assert_eq!(diff(&same, &same).to_human(), "no differences\n");
}

#[test]
fn additions_removals_and_moves_are_told_apart() {
    let old = catalogue(&endpoint(
        "acme/a",
        "context_length = 1000\npricing = { prompt = \"0.000002\", completion = \"0.000008\", request = \"0\", \
         input_cache_read = \"0.000001\", overrides = [{ min_prompt_tokens = 200, prompt = \"0.000004\" }] }",
    ));
    let new = catalogue(&format!(
        "{}{}",
        endpoint(
            "acme/a",
            "context_length = 2000\npricing = { prompt = \"0.00000225\", completion = \"0.000004\", request = \"0.01\", \
             image = \"0.1\", overrides = [{ min_prompt_tokens = 200, prompt = \"0.000005\" }] }",
        ),
        endpoint("acme/b", ""),
    ));
    let found = diff(&old, &new);
    let expected = "\
+ endpoint acme/b@acme
~ price acme/a@acme image: - -> 0.1 (new)
~ price acme/a@acme input_cache_read: 0.000001 -> - (gone)
~ price acme/a@acme request: 0 -> 0.01 (was free)
~ price acme/a@acme completion: 0.000008 -> 0.000004 (-50%)
~ price acme/a@acme prompt > 200: 0.000004 -> 0.000005 (+25%)
~ price acme/a@acme prompt: 0.000002 -> 0.00000225 (+12.5%)
~ limit acme/a@acme context_length: 1000 -> 2000
";
    assert_eq!(found.to_human(), expected);
    let json = found.to_json();
    assert_eq!(json["endpoints"]["added"][0], "acme/b@acme");
    assert_eq!(json["prices"][0]["endpoint"], "acme/a@acme");
    let back = diff(&new, &old);
    assert_eq!(back.endpoints_removed, ["acme/b@acme"]);
    assert_eq!(back.price_moves.len(), found.price_moves.len());
}
