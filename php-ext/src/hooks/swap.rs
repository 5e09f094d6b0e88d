//! Puts a handler of ours in front of an internal function's own. Code that is not hooked runs as it did: the
//! engine calls whatever handler a function has.
//!
//! A fatal error below a hooked function leaves our handler by `longjmp`, past everything after the call. So
//! nothing that needs dropping lives in that frame: [`around`] keeps one number over the call.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use ext_php_rs::ffi;
use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::ExecuteData;

use crate::session;

/// What the engine calls for an internal function.
pub type Handler = unsafe extern "C" fn(*mut ExecuteData, *mut Zval);

/// What is done before and after an internal function.
pub trait Around {
    /// What the first half leaves for the second.
    type Token: Copy + Default;

    /// The function, with [`around`] as its handler.
    fn swap() -> &'static Swap;

    /// Runs before the function.
    fn before(call: &Call<'_>) -> Self::Token;

    /// Runs after it, unless a fatal error ended the request. `returned` is its value.
    fn after(call: &Call<'_>, returned: &mut Zval, token: Self::Token);
}

/// A function whose handler is, or will be, ours.
pub struct Swap {
    /// The class in lower case, for a method.
    class: Option<&'static str>,
    /// In lower case.
    name: &'static str,
    handler: Handler,
    original: AtomicPtr<()>,
}

impl Swap {
    pub const fn function<H: Around>(name: &'static str) -> Swap {
        Swap { class: None, name, handler: around::<H>, original: AtomicPtr::new(ptr::null_mut()) }
    }

    pub const fn method<H: Around>(class: &'static str, name: &'static str) -> Swap {
        Swap { class: Some(class), name, handler: around::<H>, original: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The class that declares the method.
    pub fn scope(&self) -> Option<ptr::NonNull<ffi::zend_class_entry>> {
        // SAFETY: a class entry found in the compiler's table is one.
        unsafe { class(self.class?) }
    }

    /// Takes the function's place; false when this PHP does not have it. Once, while the process starts.
    pub fn install(&self) -> bool {
        let Some(function) = find(self.class, self.name) else { return false };
        // SAFETY: the function table is complete and nothing else runs while the process starts; the entry is
        // an internal function, as both of its first fields say.
        unsafe {
            let function = function.as_ptr();
            if u32::from((*function).type_) != ffi::ZEND_INTERNAL_FUNCTION {
                return false;
            }
            let function = ptr::addr_of_mut!((*function).internal_function);
            let Some(original) = (*function).handler else { return false };
            self.original.store(original as *mut (), Relaxed);
            (*function).handler = Some(self.handler);
        }
        true
    }
}

/// The handler of every hooked function.
///
/// # Safety
/// Only the engine calls it, with the frame of the function that was swapped.
unsafe extern "C" fn around<H: Around>(frame: *mut ExecuteData, returned: *mut Zval) {
    // SAFETY: the handler was stored before this one was put in its place, and both have the engine's type.
    let original: Handler = unsafe { std::mem::transmute(H::swap().original.load(Relaxed)) };
    // SAFETY: the engine's frame lives until the function returns.
    let token = guarded(|| {
        session::break_for_test("before");
        H::before(&Call(unsafe { &*frame }))
    });
    // SAFETY: this is what the engine would have called.
    unsafe { original(frame, returned) };
    // SAFETY: as above; the arguments are freed by the engine after the handler returns.
    guarded(|| {
        session::break_for_test("after");
        H::after(&Call(unsafe { &*frame }), unsafe { &mut *returned }, token);
    });
}

/// A panic that left a handler would end PHP.
pub fn guarded<R: Default>(work: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        session::break_off();
        R::default()
    })
}

/// The frame of a hooked function.
pub struct Call<'f>(&'f ExecuteData);

impl Call<'_> {
    /// An argument by position.
    pub fn argument(&self, at: u32) -> Option<&Zval> {
        // SAFETY: an internal function's frame holds as many arguments as it says, and keeps them until its
        // handler returns.
        unsafe {
            let count = self.0.This.u2.num_args;
            (at < count).then(|| self.0.zend_call_arg(at as usize)).flatten().map(|zval| &*zval)
        }
        .map(Zval::dereference)
    }

    /// An argument that is an object.
    pub fn object(&self, at: u32) -> Option<&ZendObject> {
        self.argument(at).and_then(Zval::object)
    }

    /// An argument that is text.
    pub fn text(&self, at: u32) -> Option<&str> {
        self.argument(at).and_then(Zval::zend_str).and_then(|text| text.as_str().ok())
    }

    /// The object whose method it is.
    pub fn this(&self) -> Option<&ZendObject> {
        self.0.This.object()
    }
}

/// An internal function that hooks call themselves. Found when the process starts: by then those that
/// `disable_functions` names are gone.
pub struct Function {
    name: &'static str,
    found: AtomicPtr<ffi::zend_function>,
}

impl Function {
    pub const fn named(name: &'static str) -> Function {
        Function { name, found: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Looks it up; false when this PHP does not have it.
    pub fn find(&self) -> bool {
        let Some(function) = find(None, self.name) else { return false };
        self.found.store(function.as_ptr(), Relaxed);
        true
    }

    /// Calls it, unless an exception is in flight: then PHP must not be entered.
    pub fn call<const N: usize>(&self, mut arguments: [Zval; N]) -> Option<Zval> {
        let function = self.found.load(Relaxed);
        if function.is_null() || ext_php_rs::zend::ExecutorGlobals::has_exception() {
            return None;
        }
        let mut returned = Zval::new();
        // SAFETY: the function is one of the process's internal ones; arguments and result are ours.
        unsafe {
            ffi::zend_call_known_function(
                function,
                ptr::null_mut(),
                ptr::null_mut(),
                &mut returned,
                N as u32,
                arguments.as_mut_ptr(),
                ptr::null_mut(),
            );
        }
        Some(returned)
    }
}

fn find(of: Option<&str>, name: &str) -> Option<ptr::NonNull<ffi::zend_function>> {
    // SAFETY: the compiler's tables exist from before the first module starts until after the last has ended;
    // those of functions hold pointers to functions.
    unsafe {
        let table = match of {
            None => (*ffi::ext_php_rs_compiler_globals()).function_table,
            Some(name) => ptr::addr_of_mut!((*class(name)?.as_ptr()).function_table),
        };
        entry(table, name).map(ptr::NonNull::cast)
    }
}

/// # Safety
/// Only while PHP runs.
unsafe fn class(name: &str) -> Option<ptr::NonNull<ffi::zend_class_entry>> {
    // SAFETY: the table of classes holds pointers to class entries.
    unsafe { entry((*ffi::ext_php_rs_compiler_globals()).class_table, name).map(ptr::NonNull::cast) }
}

/// The pointer that a table of the engine holds under `key`.
///
/// # Safety
/// `table` must be one whose values are pointers.
unsafe fn entry(table: *const ffi::HashTable, key: &str) -> Option<ptr::NonNull<std::ffi::c_void>> {
    // SAFETY: the key is not kept; the value of such a table is a pointer.
    unsafe {
        let zval = ffi::zend_hash_str_find(table, key.as_ptr().cast::<c_char>(), key.len());
        zval.as_ref().and_then(|zval| ptr::NonNull::new(zval.value.ptr))
    }
}
