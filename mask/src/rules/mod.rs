//! The rules, one file each, and the one list that says which suspect goes to which of them.

pub(crate) mod email;
pub(crate) mod emv;
pub(crate) mod flag;
pub(crate) mod iban;
pub(crate) mod iso8583;
pub(crate) mod keys;
pub(crate) mod literal;
pub(crate) mod named;
pub(crate) mod nested;
pub(crate) mod pair;
pub(crate) mod pan;
pub(crate) mod prose;
pub(crate) mod shortened;
pub(crate) mod sql;
pub(crate) mod tag;
pub(crate) mod track;
pub(crate) mod user;
pub(crate) mod userinfo;
pub(crate) mod wrapped;

use crate::pass::Pass;
use crate::scan::Suspect;

/// Looks closely at one suspect and notes what is to be masked.
pub(crate) fn judge(pass: &mut Pass<'_>, suspect: Suspect) {
    let text = pass.text;
    match suspect {
        Suspect::Run { start, end } => {
            pan::run(text, (start, end), pass.numbers, pass.options.pan, &mut pass.edits);
            emv::around(pass, start, end);
        }
        Suspect::Groups { first_end } => pass.edits.extend(pan::groups(text, first_end, pass.options.pan)),
        Suspect::Separator(at) if at >= pass.done => keys::separator(pass, at),
        Suspect::Tag(at) if at >= pass.done => {
            tag::element(pass, at);
            iso8583::field(pass, at);
        }
        Suspect::Bracket(at) if at >= pass.done => {
            pair::mask(pass, at);
            sql::mask(pass, at);
        }
        Suspect::Flag(at) if at >= pass.done => flag::argument(pass, at),
        Suspect::Literal(start) if start >= pass.done => match literal::secret(text, start) {
            None => wrapped::mask(pass, start),
            secret => pass.remove(secret),
        },
        Suspect::Pem(at) if at >= pass.done => pass.remove(literal::pem(text, at)),
        Suspect::At(at) => {
            userinfo::before(pass, at);
            if pass.options.email {
                pass.edits.extend(email::address(text, at));
            }
        }
        Suspect::Shortened(end) => pass.edits.extend(shortened::tightened(text, end, pass.options.pan)),
        Suspect::Iban(start) if pass.options.iban => pass.edits.extend(iban::number(text, start)),
        Suspect::Veil(_) => pass.veiled = true,
        _ => {}
    }
}
