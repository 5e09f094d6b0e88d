//! What the operator may set. One table; registration, reading and phpinfo() all come from it.

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

use ext_php_rs::error::php_error;
use ext_php_rs::flags::{ErrorType, IniEntryPermission};
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use spanmill::mask::{Config, PanOutput};
use spanmill::recorder::Settings;

use crate::{hooks, sapi};

/// A setting: an ini key, and the variable of the environment that wins over it.
struct Setting {
    ini: &'static CStr,
    variable: &'static str,
    default: &'static CStr,
    permission: IniEntryPermission,
}

impl Setting {
    const fn of_process(ini: &'static CStr, variable: &'static str, default: &'static CStr) -> Setting {
        Setting { ini, variable, default, permission: IniEntryPermission::System }
    }

    const fn of_folder(ini: &'static CStr, variable: &'static str, default: &'static CStr) -> Setting {
        Setting { ini, variable, default, permission: IniEntryPermission::PerDir }
    }
}

/// `0` switches the extension off: no span is recorded, every call of its classes does nothing.
const ENABLED: Setting = Setting::of_process(c"spanmill.enabled", "SPANMILL_ENABLED", c"1");
/// `0` switches it off for scripts on the command line.
const CLI: Setting = Setting::of_process(c"spanmill.cli", "SPANMILL_CLI", c"1");
/// Path of the daemon's socket. Empty: `/run/spanmill/spanmill.sock` for root, and for others
/// `$XDG_RUNTIME_DIR/spanmill/spanmill.sock`, if that variable is set.
const SOCKET: Setting = Setting::of_process(c"spanmill.socket", "SPANMILL_SOCKET", c"");
/// Path of the daemon's board, from which verdicts are read. Empty: `board` beside the default socket.
const BOARD: Setting = Setting::of_process(c"spanmill.board", "SPANMILL_BOARD", c"");
/// Name of the service; may be set for each pool, virtual host and directory. Empty: `OTEL_SERVICE_NAME`.
const SERVICE: Setting = Setting::of_folder(c"spanmill.service", "SPANMILL_SERVICE", c"");
/// The environment: `production`, `staging`.
const ENVIRONMENT: Setting = Setting::of_process(c"spanmill.env", "SPANMILL_ENV", c"");
/// A span for each request of a web server.
const ROOT_SPAN: Setting = Setting::of_folder(c"spanmill.root_span", "SPANMILL_ROOT_SPAN", c"1");
/// Which functions are seen by themselves. Empty: none.
const HOOK: Setting = Setting::of_process(c"spanmill.hook", "SPANMILL_HOOK", c"curl,stream,soap,pcntl");
/// Functions and methods of the application that are spans: `checkout, Shop\\Cart::total`. Any name here makes every
/// call of a PHP function dearer by some nanoseconds.
const HOOK_USER: Setting = Setting::of_process(c"spanmill.hook_user", "SPANMILL_HOOK_USER", c"");
/// Hosts whose requests carry `traceparent`: your own. Nobody else has a use for it.
const PROPAGATE_HOSTS: Setting =
    Setting::of_process(c"spanmill.propagate_hosts", "SPANMILL_PROPAGATE_HOSTS", c"");
/// Hosts whose requests make no span.
const IGNORE_HOSTS: Setting = Setting::of_process(c"spanmill.ignore_hosts", "SPANMILL_IGNORE_HOSTS", c"");
/// Hosts whose spans carry no URL.
const BARE_HOSTS: Setting = Setting::of_process(c"spanmill.bare_hosts", "SPANMILL_BARE_HOSTS", c"");

/// Keys whose values are removed, beside those that always are.
const MASK_KEYS: Setting = Setting::of_process(c"spanmill.mask_keys", "SPANMILL_MASK_KEYS", c"");
/// What of a card number stays: `first6_last4`, `last4` or `full` (nothing).
const MASK_PAN: Setting = Setting::of_process(c"spanmill.mask_pan", "SPANMILL_MASK_PAN", c"first6_last4");

const SETTINGS: [&Setting; 14] = [
    &ENABLED,
    &CLI,
    &SOCKET,
    &BOARD,
    &SERVICE,
    &ENVIRONMENT,
    &ROOT_SPAN,
    &HOOK,
    &HOOK_USER,
    &PROPAGATE_HOSTS,
    &IGNORE_HOSTS,
    &BARE_HOSTS,
    &MASK_KEYS,
    &MASK_PAN,
];

const fn entry(setting: &Setting) -> IniEntryDef {
    let permission = IniEntryPermission::from_bits_retain(setting.permission.bits());
    IniEntryDef::new(setting.ini, setting.default, permission)
}

const fn entries() -> [IniEntryDef; SETTINGS.len() + 1] {
    let mut entries = [const { IniEntryDef::end() }; SETTINGS.len() + 1];
    let mut at = 0;
    while at < SETTINGS.len() {
        entries[at] = entry(SETTINGS[at]);
        at += 1;
    }
    entries
}

static ENTRIES: IniEntryDefs<{ SETTINGS.len() + 1 }> = IniEntryDefs::new(entries());

/// What holds for the whole process.
struct Process {
    recorder: Settings,
    hooks: Words,
    user_functions: Words,
    hosts: Hosts,
}

/// `None` inside = switched off.
static PROCESS: OnceLock<Option<Process>> = OnceLock::new();

/// What is done with the requests to a host.
#[derive(Debug, Default)]
pub struct Hosts {
    pub propagated: HostList,
    pub ignored: HostList,
    pub bare: HostList,
}

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

/// The settings of the recorder, or `None` while the extension is switched off.
pub fn process() -> Option<&'static Settings> {
    of_process().map(|process| &process.recorder)
}

/// The hooks that are wanted.
pub fn hooks() -> Option<&'static Words> {
    of_process().map(|process| &process.hooks)
}

/// The application's functions that are observed.
pub fn user_functions() -> Option<&'static Words> {
    of_process().map(|process| &process.user_functions)
}

/// What is done with the requests to a host.
pub fn hosts() -> Option<&'static Hosts> {
    of_process().map(|process| &process.hosts)
}

fn of_process() -> Option<&'static Process> {
    PROCESS.get().and_then(Option::as_ref)
}

/// The service's name in the request that runs, if PHP or the environment names one.
pub fn service() -> Option<String> {
    text(&SERVICE)
}

/// Whether the request that runs has a span of its own, if a web server made it.
pub fn has_root_span() -> bool {
    text(&ROOT_SPAN).is_some_and(|value| is_on(&value))
}

fn read() -> Option<Process> {
    let is_wanted = |setting| text(setting).is_some_and(|value| is_on(&value));
    if !is_wanted(&ENABLED) || sapi::is_command_line() && !is_wanted(&CLI) {
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
    let settings = settings.mask(masking());
    if let Some(path) = text(&BOARD) {
        spanmill::recorder::set_board_path(path);
    }
    let settings = match text(&ENVIRONMENT) {
        Some(name) => settings.attribute("deployment.environment.name", &name),
        None => settings,
    };
    let list = |setting| HostList::read(&text(setting).unwrap_or_default());
    let process = Process {
        hooks: hooks_of(&text(&HOOK).unwrap_or_default()),
        user_functions: Words::read(&text(&HOOK_USER).unwrap_or_default()),
        hosts: Hosts {
            propagated: list(&PROPAGATE_HOSTS),
            ignored: list(&IGNORE_HOSTS),
            bare: list(&BARE_HOSTS),
        },
        recorder: settings,
    };
    (!process.recorder.is_disabled()).then_some(process)
}

fn masking() -> Config {
    let pan = text(&MASK_PAN).unwrap_or_default();
    let pan = match pan.as_str() {
        "last4" => PanOutput::Last4,
        "full" => PanOutput::Full,
        "" | "first6_last4" => PanOutput::First6Last4,
        other => {
            let message =
                format!("spanmill.mask_pan: '{other}' is none of first6_last4, last4 and full; taking full");
            php_error(&ErrorType::CoreWarning, &message);
            PanOutput::Full
        }
    };
    let keys_add = Words::read(&text(&MASK_KEYS).unwrap_or_default()).0;
    Config { pan, keys_add, ..Config::default() }
}

/// The names in `spanmill.hook`; one that is not known is said and left out.
fn hooks_of(list: &str) -> Words {
    let words = Words::read(list);
    for word in &words.0 {
        if !hooks::names().any(|name| name == word) {
            let known = hooks::names().collect::<Vec<_>>().join(", ");
            let message = format!("spanmill.hook: there is no hook '{word}'; there are {known}");
            php_error(&ErrorType::CoreWarning, &message);
        }
    }
    words
}

/// A list of words.
#[derive(Debug, Default)]
pub struct Words(Vec<String>);

impl Words {
    fn read(list: &str) -> Words {
        let words = list.split([',', ';', ' ']).filter(|word| !word.is_empty());
        Words(words.map(str::to_ascii_lowercase).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }
}

/// Hosts by name, or with all below them: `api.shop.example`, `*.shop.example`.
#[derive(Debug, Default)]
pub struct HostList(Words);

impl HostList {
    fn read(list: &str) -> HostList {
        HostList(Words::read(list))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, host: &str) -> bool {
        self.0.0.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && ends_with(host, suffix),
            None => host.eq_ignore_ascii_case(pattern),
        })
    }
}

fn ends_with(host: &str, suffix: &str) -> bool {
    let end = host.as_bytes().get(host.len().saturating_sub(suffix.len())..);
    end.is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
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
