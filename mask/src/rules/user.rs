//! The operator's own rules: regular expressions that run in linear time, checked when they are loaded.

use regex_automata::meta::Regex;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use regex_syntax::ast::parse::ParserBuilder as AstParser;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::translate::TranslatorBuilder;

use crate::config::{ConfigError, UserRule};
use crate::edit::{Edit, MASKED};
use crate::report::Rule;

/// More rules than this are a word list, which belongs in `keys_add`.
const RULES_MAX: usize = 64;

/// A rule's name, which labels a metric.
const NAME_LEN_MAX: usize = 64;

/// Bytes of one pattern.
const PATTERN_LEN_MAX: usize = 1024;

/// Memory of all compiled rules; a pattern such as `(\pL{500}){500}` is refused.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A literal shorter than this stands in too many texts to tell anything.
const LITERAL_LEN_MIN: usize = 2;

/// All rules of the operator, as one automaton.
#[derive(Debug)]
pub(crate) struct UserRules {
    regex: Regex,
    notice: Notice,
}

/// How it is noticed, without running the automaton, that a rule may match somewhere.
#[derive(Debug)]
enum Notice {
    /// Every match starts with one of some literals.
    Literals(Prefilter),
    /// A match may start with anything: every text of this length is to be looked at.
    Length(usize),
}

impl UserRules {
    /// Compiles `rules`; `None` when there are none.
    pub(crate) fn new(rules: &[UserRule]) -> Result<Option<UserRules>, ConfigError> {
        if rules.is_empty() {
            return Ok(None);
        }
        if rules.len() > RULES_MAX {
            return Err(ConfigError::TooManyRules { given: rules.len(), max: RULES_MAX });
        }
        rules.iter().enumerate().try_for_each(|(i, rule)| check_name(rule, &rules[..i]))?;
        let hirs: Vec<Hir> = rules.iter().map(parse).collect::<Result<_, _>>()?;
        let config = Regex::config().nfa_size_limit(Some(COMPILED_BYTES_MAX)).utf8_empty(false);
        let regex =
            Regex::builder().configure(config).build_many_from_hir(&hirs).map_err(|error| {
                match error.size_limit() {
                    Some(_) => ConfigError::LargeRules { max_bytes: COMPILED_BYTES_MAX },
                    None => ConfigError::Rule { name: rules[0].name.clone(), why: error.to_string() },
                }
            })?;
        let notice = literals(&hirs).unwrap_or_else(|| {
            Notice::Length(hirs.iter().filter_map(|hir| hir.properties().minimum_len()).min().unwrap_or(1))
        });
        Ok(Some(UserRules { regex, notice }))
    }

    /// What the rules match in `text`.
    pub(crate) fn edits<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Edit> + 'a {
        let matches = self.regex.find_iter(Input::new(text)).filter(|found| !found.is_empty());
        matches.map(|found| {
            let (start, end) = whole_characters(text, found.start(), found.end());
            let user = u8::try_from(found.pattern().as_usize()).ok();
            Edit { user, ..Edit::remove(start, end, Rule::User) }
        })
    }

    /// Calls `push` with offsets such that every text that a rule matches has one inside.
    pub(crate) fn candidates(&self, message: &[u8], push: impl FnMut(usize)) {
        match &self.notice {
            Notice::Literals(prefilter) => {
                let find = |from: usize| {
                    prefilter.find(message, (from..message.len()).into()).map(|span| span.start)
                };
                std::iter::successors(find(0), |&at| find(at + 1)).for_each(push);
            }
            Notice::Length(len) => (0..=message.len()).step_by(*len).for_each(push),
        }
    }
}

/// A pattern may match single bytes; what is left of a text must stay UTF-8.
fn whole_characters(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let is_inner = |b: &&u8| **b & 0xc0 == 0x80;
    let cut = text.get(start).is_some_and(|b| is_inner(&b));
    let before = if cut { 1 + text[..start].iter().rev().take(2).take_while(is_inner).count() } else { 0 };
    let behind = text[end..].iter().take(3).take_while(is_inner).count();
    (start.saturating_sub(before), end + behind)
}

/// A name is a label in metrics: `user:NAME`.
fn check_name(rule: &UserRule, before: &[UserRule]) -> Result<(), ConfigError> {
    let refused = |why| Err(ConfigError::RuleName { name: rule.name.clone(), why });
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if rule.name.is_empty() || rule.name.len() > NAME_LEN_MAX || !rule.name.bytes().all(is_plain) {
        return refused("a name has 1 to 64 letters, digits, \"-\", \"_\" or \".\"");
    }
    if before.iter().any(|other| other.name == rule.name) {
        return refused("another rule has the same name; hits are counted by name");
    }
    Ok(())
}

fn parse(rule: &UserRule) -> Result<Hir, ConfigError> {
    let refused = |why: String| ConfigError::Rule { name: rule.name.clone(), why };
    if rule.pattern.len() > PATTERN_LEN_MAX {
        return Err(refused(format!("the pattern is longer than {PATTERN_LEN_MAX} bytes")));
    }
    let ast = AstParser::new().build().parse(&rule.pattern).map_err(|error| refused(error.to_string()))?;
    // Bytes need not be UTF-8.
    let hir = TranslatorBuilder::new()
        .utf8(false)
        .build()
        .translate(&rule.pattern, &ast)
        .map_err(|error| refused(error.to_string()))?;
    if hir.properties().minimum_len().is_none_or(|len| len == 0) {
        return Err(refused("the pattern matches the empty text, which is everywhere".to_owned()));
    }
    let alone = Regex::builder().syntax(syntax::Config::new().utf8(false)).build(&rule.pattern);
    if alone.is_ok_and(|regex| regex.is_match(MASKED)) {
        return Err(refused("the pattern matches \"[masked]\", so masking would never end".to_owned()));
    }
    Ok(hir)
}

/// The literals that all matches start with, if there are few and they are long enough to be rare.
fn literals(hirs: &[Hir]) -> Option<Notice> {
    let mut all = Seq::empty();
    for hir in hirs {
        all.union(&mut Extractor::new().kind(ExtractKind::Prefix).extract(hir));
    }
    all.optimize_for_prefix_by_preference();
    let literals = all.literals()?;
    if literals.is_empty() || literals.iter().any(|literal| literal.len() < LITERAL_LEN_MIN) {
        return None;
    }
    let needles: Vec<&[u8]> = literals.iter().map(|literal| literal.as_bytes()).collect();
    Prefilter::new(MatchKind::LeftmostFirst, &needles).map(Notice::Literals)
}
