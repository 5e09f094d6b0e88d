//! What becomes of a function under `#[spanmill::call]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, ItemFn, Lit, LitStr, Path, ReturnType, Token, Type, parenthesized};

/// What stands in the parentheses.
struct Arguments {
    provider: Expr,
    operation: Option<LitStr>,
    tags: Vec<Tag>,
    outcome: Option<Path>,
}

/// `name`, or `key = expression`; a key with dots stands in quotes.
struct Tag {
    key: String,
    value: Expr,
}

impl Parse for Tag {
    fn parse(input: ParseStream<'_>) -> syn::Result<Tag> {
        if input.peek(LitStr) {
            let key: LitStr = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Tag { key: key.value(), value: input.parse()? });
        }
        let name: Ident = input.parse()?;
        let key = name.to_string();
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return Ok(Tag { key, value: input.parse()? });
        }
        Ok(Tag { key, value: syn::parse_quote!(#name) })
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Arguments> {
        let (mut provider, mut operation, mut tags, mut outcome) = (None, None, Vec::new(), None);
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            match name.to_string().as_str() {
                "provider" => {
                    input.parse::<Token![=]>()?;
                    provider = Some(input.parse()?);
                }
                "operation" => {
                    input.parse::<Token![=]>()?;
                    operation = Some(input.parse()?);
                }
                "outcome" => {
                    input.parse::<Token![=]>()?;
                    outcome = Some(input.parse()?);
                }
                "tags" => {
                    let list;
                    parenthesized!(list in input);
                    tags.extend(Punctuated::<Tag, Token![,]>::parse_terminated(&list)?);
                }
                _ => {
                    return Err(syn::Error::new(
                        name.span(),
                        "knows provider, operation, tags(…) and outcome",
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = || syn::Error::new(Span::call_site(), "say whom it calls: provider = \"acme-bank\"");
        Ok(Arguments { provider: provider.ok_or_else(missing)?, operation, tags, outcome })
    }
}

pub fn expand(arguments: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let Arguments { provider, operation, tags, outcome } = syn::parse2(arguments)?;
    let ItemFn { attrs, vis, sig, block, .. } = syn::parse2(function)?;
    if let Some(constant) = &sig.constness {
        return Err(syn::Error::new(constant.span, "a const fn calls nobody"));
    }
    let operation = operation.map_or_else(|| sig.ident.to_string(), |operation| operation.value());
    let provider = match &provider {
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => quote! {{
            static PROVIDER: ::spanmill::Provider = ::spanmill::Provider::new(#name);
            &PROVIDER
        }},
        other => quote!(&#other),
    };
    let tags = tags.iter().map(|Tag { key, value }| quote!(__call.tag(#key, #value);));
    let run = match (&sig.asyncness, &sig.output) {
        (Some(_), output) => {
            let output = written(output);
            quote! {
                let __answer #output = ::spanmill::InSpan::in_span(async move #block, &__call).await;
            }
        }
        // A closure, so that `return` and `?` of the body end the body and not the call.
        (None, output) => quote! {
            #[allow(clippy::redundant_closure_call)] // `return` and `?` of the body end the closure
            let __answer = {
                let __entered = __call.enter();
                (move || #output #block)()
            };
        },
    };
    let end = match outcome {
        Some(outcome) => quote!(__call.end_with(#outcome(&__answer), &__answer);),
        None if is_result(&sig.output) => quote! {
            match &__answer {
                ::core::result::Result::Ok(_) => __call.ok(),
                ::core::result::Result::Err(__error) => __call.failed(__error),
            }
        },
        None => quote!(__call.ok();),
    };
    Ok(quote! {
        #(#attrs)* #vis #sig {
            #[allow(unused_mut)]
            let mut __call = ::spanmill::Provider::call(#provider, #operation);
            #(#tags)*
            #run
            #end
            __answer
        }
    })
}

/// The type of what is returned, where it can be written for a `let`.
fn written(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(: ()),
        ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)) => quote!(),
        ReturnType::Type(_, ty) => quote!(: #ty),
    }
}

/// Whether the function says that it returns a `Result`, under whatever path.
fn is_result(output: &ReturnType) -> bool {
    let ReturnType::Type(_, ty) = output else { return false };
    let Type::Path(path) = &**ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Result")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(arguments: &str, function: &str) -> String {
        let parse = |text: &str| text.parse::<TokenStream>().unwrap();
        expand(parse(arguments), parse(function)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(error("", "fn f() {}").contains("provider ="));
        assert!(error("provider = \"a\", kind = 1", "fn f() {}").contains("knows provider"));
        assert!(error("provider = \"a\"", "const fn f() {}").contains("const"));
    }

    #[test]
    fn a_result_is_known_by_its_last_name() {
        let is = |text: &str| {
            is_result(&syn::parse_str::<ItemFn>(&format!("fn f() {text} {{}}")).unwrap().sig.output)
        };
        assert!(is("-> Result<(), E>") && is("-> std::io::Result<u8>"));
        assert!(!is("") && !is("-> Option<Result<(), ()>>") && !is("-> u8"));
    }
}
