"""Interpreters of other languages, with scripts of infinite recursion: JavaScript, Lua, WebAssembly, Jsonnet, jq."""

from case import CPYTHON, as_deep, case, pypi
from journal import deepest, step

QUICKJS = pypi("quickjs")
DUKPY = pypi("dukpy")
MINI_RACER = pypi("mini-racer")
LUPA = pypi("lupa")
WASMTIME = pypi("wasmtime")
JSONNET = pypi("jsonnet")
JQ = pypi("jq")

ENDLESS = "function f() { return 1 + f(); } f()"
CAUGHT = "function g() { return 1 + g(); } try { g() } catch (error) { error instanceof Error }"
RECURSION = "function h(n) { return n ? 1 + h(n - 1) : 0; } h(100)"
NESTED_JSON = "JSON.stringify(JSON.parse('" + "[" * 500 + "]" * 500 + "')).length"
BACKTRACKING = "/^(a|b)*c$/.test('" + "ab" * 500 + "c')"
SCRIPTS = (RECURSION, CAUGHT, NESTED_JSON, BACKTRACKING, "[3, 1, 2].sort((a, b) => a - b).join()")
ES5_SCRIPTS = (*SCRIPTS[:4], "[3, 1, 2].sort(function (a, b) { return a - b }).join()")


def run_scripts(evaluate, scripts, errors):
    """Return the results of *evaluate* for *scripts*, then the error of infinite recursion, then a final check."""
    results = []
    for script in scripts:
        step(script[:40])
        results.append(str(evaluate(script)).lower())
    step("endless recursion")
    try:
        evaluate(ENDLESS)
    except errors as error:
        results.append(type(error).__name__)
    results.append(evaluate("1 + 1"))
    return results


@case(QUICKJS)
def scripts_of_quickjs():
    """Scripts run in QuickJS; endless recursion is an error of the script."""
    import quickjs

    return run_scripts(quickjs.Context().eval, SCRIPTS, quickjs.JSException)


def quickjs_context():
    import quickjs

    return quickjs.Context()


@case(QUICKJS, prepare=quickjs_context)
def context_made_outside(context):
    """A context of QuickJS that was made outside of the greenlet."""
    import quickjs

    return run_scripts(context.eval, SCRIPTS, quickjs.JSException)


@case(QUICKJS)
def calls_of_python():
    """A function of QuickJS that calls Python, which calls it again, 20 deep."""
    import quickjs

    context = quickjs.Context()
    context.add_callable("again", lambda n: 1 + context.eval(f"again({n - 1})") if n else 0)
    return context.eval("again(20)")


@case(DUKPY)
def scripts_of_duktape():
    """Scripts run in Duktape; endless recursion is an error of the script."""
    import dukpy

    return run_scripts(dukpy.evaljs, ES5_SCRIPTS, dukpy.JSRuntimeError)


def duktape():
    import dukpy

    return dukpy.JSInterpreter()


@case(DUKPY, prepare=duktape)
def interpreter_made_outside(interpreter):
    """An interpreter of Duktape that was made outside of the greenlet runs all scripts, and calls Python."""
    import dukpy

    interpreter.export_function("again", lambda n: 1 + interpreter.evaljs(f"call_python('again', {n - 1})") if n else 0)
    return [
        *run_scripts(interpreter.evaljs, ES5_SCRIPTS, dukpy.JSRuntimeError),
        interpreter.evaljs("call_python('again', 20)"),
    ]


@case(MINI_RACER, limit=100)
def scripts_of_v8():
    """Scripts run in V8; endless recursion is an error of the script."""
    from py_mini_racer import JSEvalException, MiniRacer

    with MiniRacer() as context:
        return run_scripts(context.eval, SCRIPTS, JSEvalException)


@case(LUPA)
def scripts_of_lua():
    """Lua: recursion, patterns, coroutines; endless recursion is an error of the script, each time."""
    import lupa

    lua, results = lupa.LuaRuntime(), []
    for script in (
        "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(10000)",
        "return (string.rep('a', 10000)):gsub('a', 'b'):len()",
        "return (string.rep('a', 200):match('(.-)(.-)b'))",
        "local c = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end) c() return c()",
        "return load('return ' .. string.rep('(', 150) .. '1' .. string.rep(')', 150))()",
    ):
        step(script[:40])
        results.append(lua.execute(script))
    for _ in range(2):
        try:
            lua.execute("local function f() return 1 + f() end return f()")
        except lupa.LuaError as error:
            results.append("stack overflow" in str(error))
    return results


@case(LUPA, same=as_deep)
def lua_and_python_in_turn():
    """Lua calls Python, which calls Lua again, as deep as Lua lets it."""
    import lupa

    lua = lupa.LuaRuntime()
    again = lua.eval("function(f, n) return f(n) end")

    def call(n):
        return 1 + again(call, n - 1) if n else 0

    return deepest(call, 2000, lupa.LuaError, lupa.LuaSyntaxError)


WASM = """(module
    (func $endless (export "endless") (result i32) (i32.add (i32.const 1) (call $endless)))
    (func $count (export "count") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $count (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
    (func (export "trap") (unreachable))
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (memory 1)
    (func (export "outside") (result i32) (i32.load (i32.const 1000000))))"""


@case(WASMTIME)
def webassembly():
    """WebAssembly: recursion 5,000 deep; endless recursion and other faults, which are signals, are traps."""
    import wasmtime

    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, WASM), []).exports(store)
    results = [exports["count"](store, 5000)]
    for _ in range(2):
        for name, arguments in (("endless", ()), ("trap", ()), ("divide", (0,)), ("outside", ())):
            step(name)
            try:
                exports[name](store, *arguments)
            except wasmtime.Trap as trap:
                results.append(trap.trap_code.name)
    return results


@case(WASMTIME)
def webassembly_calls_python():
    """WebAssembly calls Python, which calls WebAssembly again, 50 deep; then it traps."""
    import wasmtime

    store = wasmtime.Store()
    module = wasmtime.Module(
        store.engine,
        """(module (import "" "python" (func $python (param i32) (result i32)))
        (func (export "again") (param i32) (result i32) (call $python (local.get 0)))
        (func (export "endless") (call 1)))""".replace("(call 1)", "(drop (call $python (i32.const -1)))"),
    )

    def python(n):
        if n < 0:
            raise ValueError(n)
        return 1 + exports["again"](store, n - 1) if n else 0

    kind = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    exports = wasmtime.Instance(store, module, [wasmtime.Func(store, kind, python)]).exports(store)
    results = [exports["again"](store, 50)]
    try:
        exports["endless"](store)
    except ValueError as error:
        results.append(str(error))
    return results


@case(JSONNET, same=as_deep)
def jsonnet():
    """Jsonnet: recursive functions and nested arrays, as deep as it accepts them."""
    import _jsonnet

    def call(depth):
        assert (
            _jsonnet.evaluate_snippet("case", f"local f(n) = if n == 0 then 0 else 1 + f(n - 1); f({depth})")
            == f"{depth}\n"
        )

    def nest(depth):
        _jsonnet.evaluate_snippet("case", "[" * depth + "1" + "]" * depth)

    return [deepest(call, 2000, RuntimeError), deepest(nest, 400, RuntimeError)]


@case(JQ, same=as_deep)
def jq():
    """jq: JSON nested to its limit of 10,000, and programs that recurse."""
    import jq

    def parse(depth):
        assert jq.compile("[..] | length").input_text("[" * depth + "]" * depth).first() == depth

    def program(depth):
        assert jq.compile("1" + " + 1" * depth).input_value(None).first() == 1 + depth

    return [deepest(parse, 3000, ValueError), deepest(program, 1000, ValueError)]


@case(CPYTHON)
def scripts_of_tcl():
    """Tcl, by tkinter without a window: recursion, and endless recursion is an error of the script."""
    import tkinter

    interpreter = tkinter.Tcl()
    interpreter.createcommand("again", lambda n: interpreter.eval(f"expr 1 + [again {int(n) - 1}]") if int(n) else "0")
    results = [
        interpreter.eval("proc f {n} {expr {$n ? 1 + [f [expr {$n - 1}]] : 0}}; f 300"),
        interpreter.eval("again 50"),
    ]
    try:
        interpreter.eval("proc g {} {expr {1 + [g]}}; g")
    except tkinter.TclError as error:
        results.append(str(error))
    return results
