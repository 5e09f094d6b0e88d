//! What the operator may set. One table; registration, reading and phpinfo() all come from it.

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use ext_php_rs::error::php_error;
use ext_php_rs::flags::{ErrorType, IniEntryPermission};
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use spanmill::recorder::Settings;

/// A setting: an ini key, and the variable of the environment that wins over it.
struct Setting {
    ini: &'static CStr,
    variable: &'static str,
    default: &'static CStr,
    permission: IniEntryPermission,
}

/// `0` switches the extension off: no span is recorded, every call of its classes does nothing.
const ENABLED: Setting = Setting {
    ini: c"spanmill.enabled",
    variable: "SPANMILL_ENABLED",
    default: c"1",
    permission: IniEntryPermission::System,
};
/// Path of the daemon's socket. Empty: `/run/spanmill/spanmill.sock` for root, and for others
/// `$XDG_RUNTIME_DIR/spanmill/spanmill.sock`, if that variable is set.
const SOCKET: Setting = Setting {
    ini: c"spanmill.socket",
    variable: "SPANMILL_SOCKET",
    default: c"",
    permission: IniEntryPermission::System,
};
/// Name of the service; may be set for each pool, virtual host and directory. Empty: `OTEL_SERVICE_NAME`.
const SERVICE: Setting = Setting {
    ini: c"spanmill.service",
    variable: "SPANMILL_SERVICE",
    default: c"",
    permission: IniEntryPermission::PerDir,
};

const fn entry(setting: &Setting) -> IniEntryDef {
    let permission = IniEntryPermission::from_bits_retain(setting.permission.bits());
    IniEntryDef::new(setting.ini, setting.default, permission)
}

static ENTRIES: IniEntryDefs<4> =
    IniEntryDefs::new([entry(&ENABLED), entry(&SOCKET), entry(&SERVICE), IniEntryDef::end()]);

/// The settings that hold for the whole process; `None` inside = switched off.
static PROCESS: OnceLock<Option<Settings>> = OnceLock::new();

unsafe extern "C" {
    fn zend_ini_string(name: *const c_char, name_length: usize, orig: c_int) -> *mut c_char;
    fn zend_unregister_ini_entries(module_number: c_int);
}

/// At the start of the process: makes the keys known and reads those that cannot change later.
pub fn register(module: i32) {
    IniEntryDef::register(ENTRIES.as_slice(), module);
    PROCESS.get_or_init(read);
}

/// At the end of the process.
pub fn unregister(module: i32) {
    // SAFETY: `module` is the number under which PHP registered this extension and its entries.
    unsafe { zend_unregister_ini_entries(module) };
}

/// The settings of the process, or `None` while the extension is switched off.
pub fn process() -> Option<&'static Settings> {
    PROCESS.get().and_then(Option::as_ref)
}

/// The service's name in the request that runs, if PHP or the environment names one.
pub fn service() -> Option<String> {
    text(&SERVICE)
}

fn read() -> Option<Settings> {
    if !text(&ENABLED).is_some_and(|value| is_on(&value)) {
        return None;
    }
    let settings = match Settings::from_env("php") {
        Ok(settings) => settings,
        Err(error) => {
            php_error(&ErrorType::CoreWarning, &format!("spanmill is switched off: {error}"));
            return None;
        }
    };
    let settings = match text(&SOCKET) {
        Some(path) => settings.socket(path),
        None => settings,
    };
    (!settings.is_disabled()).then_some(settings)
}

/// As PHP itself reads a yes or no.
fn is_on(value: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// The value of a setting; `None` when it is empty or not text.
fn text(setting: &Setting) -> Option<String> {
    let value = std::env::var(setting.variable).ok().filter(|value| !value.is_empty());
    value.or_else(|| ini_text(setting.ini)).filter(|value| !value.is_empty())
}

fn ini_text(name: &CStr) -> Option<String> {
    // SAFETY: the name and its length are those of a C string; PHP returns null or a C string that lives
    // at least until the setting is changed, and it is copied before PHP runs again.
    let value = unsafe {
        let value = zend_ini_string(name.as_ptr(), name.count_bytes(), 0);
        (!value.is_null()).then(|| CStr::from_ptr(value))
    };
    value.and_then(|value| value.to_str().ok()).map(str::to_string)
}
