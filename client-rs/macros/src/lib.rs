//! `#[spanmill::call]`: a function that is a call of a provider.
#![warn(missing_docs)]

mod call;

use proc_macro::TokenStream;

/// Makes a function a call of a provider.
///
/// ```ignore
/// #[spanmill::call(provider = "acme-bank", operation = "authorize", tags(order_id, scheme = card.scheme()))]
/// async fn authorize(order_id: u64, card: &Card) -> Result<Receipt, BankError> { … }
/// ```
///
/// - `provider = …`: a literal name, or an expression that is a `Provider`, a `static` for instance. Needed.
/// - `operation = "…"`: the function's name unless it is said.
/// - `tags(…)`: what to record of the arguments. Nothing is recorded that is not named here. A name alone is the
///   argument of that name; `key = expression` is anything made of the arguments.
/// - `outcome = path`: a function that takes `&Result` and gives an `Outcome`, where an error may be a refusal:
///   `outcome = bank_outcome`.
///
/// A function that gives a `Result` ends the call with `ok` or `failed`; any other ends it with `ok` when it returns.
/// A panic, and a future that is dropped, count as cancelled. The body runs inside the call, so requests in it are
/// attempts of it.
#[proc_macro_attribute]
pub fn call(arguments: TokenStream, function: TokenStream) -> TokenStream {
    call::expand(arguments.into(), function.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}
