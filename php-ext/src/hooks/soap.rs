//! `SoapClient::__doRequest()`: one span per request, its operation out of the SOAP action.

use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::{ffi, zend::ExecutorGlobals};

use super::http::{self, Reply, Target};
use super::swap::{Around, Call, Swap};
use crate::session::{self, Number, Place};

struct DoRequest;

static DO_REQUEST: Swap = Swap::method::<DoRequest>("soapclient", "__dorequest");

pub fn install() -> bool {
    DO_REQUEST.install()
}

impl Around for DoRequest {
    type Token = Number;

    fn swap() -> &'static Swap {
        &DO_REQUEST
    }

    fn before(call: &Call<'_>) -> Number {
        let Some(target) = call.text(1).and_then(Target::of) else { return 0 };
        let number = http::begin(Place::Inner, "POST", &target);
        session::with(|session| {
            if let Some(record) = session.record(number) {
                record.tag("rpc.system", "soap");
                if let Some(operation) = call.text(2).and_then(operation) {
                    record.tag("rpc.method", operation);
                }
            }
        });
        number
    }

    fn after(call: &Call<'_>, returned: &mut Zval, number: Number) {
        if number == 0 {
            return;
        }
        let is_one_way = call.argument(4).is_some_and(Zval::is_true);
        let has_failed = returned.is_null() && !is_one_way || ExecutorGlobals::has_exception();
        let fault = call.this().filter(|_| has_failed).and_then(fault).unwrap_or_default();
        let error = has_failed.then(|| word(&fault));
        session::with(|session| {
            session.end(number, |record| {
                Reply { method: "POST", error, message: &fault, ..Reply::default() }.write(record);
            });
        });
    }
}

/// The last part of a SOAP action: `urn:bank#Authorize` and `"http://bank/api/Authorize"` are `Authorize`.
fn operation(action: &str) -> Option<&str> {
    let action = action.trim_matches(['"', ' ']);
    action.rsplit(['/', '#', ':']).next().filter(|name| !name.is_empty())
}

/// What the client says of its last failure.
fn fault(client: &ZendObject) -> Option<String> {
    const NAME: &str = "__soap_fault";
    let mut buffer = Zval::new();
    // SAFETY: the object lives and is a SoapClient or below; its property is read in the scope of the class that
    // declares it, by the engine, which runs no user code for a declared property.
    let fault = unsafe {
        let class = DO_REQUEST.scope()?.as_ptr();
        let object = std::ptr::from_ref(client).cast_mut();
        let name = NAME.as_ptr().cast();
        ffi::zend_read_property(class, object, name, NAME.len(), true, &mut buffer).as_ref()
    }?;
    fault.object()?.get_property::<String>("faultstring").ok()
}

/// The word for a fault of the transport: its texts stand in PHP's `ext/soap/php_http.c`.
fn word(fault: &str) -> &'static str {
    match fault {
        _ if fault.contains("Could not connect") => "connect",
        _ if fault.contains("SSL") => "tls",
        // Reading an answer that does not come ends like this when `default_socket_timeout` has passed.
        _ if fault.contains("Error Fetching http headers") => "timeout",
        _ => "soap_fault",
    }
}
