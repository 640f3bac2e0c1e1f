"""Runtimes that check the stack of their thread: Java, Mono, R, Go, Qt, Boehm's collector, and faulthandler."""

from case import CPYTHON, Library, case, in_greenlet, pypi
from journal import step

JPYPE = pypi("jpype1", needs=("java",))
JPYPE_IN_GEVENT = pypi("jpype1", "gevent", needs=("java",))
MONO = Library("Mono", needs=("libmonosgen-2.0.so.1", "/usr/lib/mono/4.5/mscorlib.dll"))
R = Library("R", needs=("/usr/lib/R/lib/libR.so",))
GO = pypi("gojsonnet")
QT = pypi("PySide6-Essentials", needs=("libEGL.so.1", "libGL.so.1"))
LIBGC = Library("libgc", needs=("libgc.so.1",))

JAVA = "the Java virtual machine compares the stack pointer with the thread's bounds"
DOT_NET = "Mono's collector scans from the stack pointer to the thread's bounds"
R_STACK = "R compares the stack pointer with the bottom of the main thread's stack"
JAVASCRIPT = "Qt's JavaScript engine compares the stack pointer with the thread's bounds"
COLLECTOR = "the collector scans from the stack pointer to the bottom of the thread's stack"


def java():
    import jpype

    jpype.startJVM(convertStrings=True)
    return jpype


def use_java(jpype):
    from jpype import JImplements, JOverride, java

    @JImplements("java.util.Comparator")
    class Backwards:
        @JOverride
        def compare(self, a, b):
            return (a < b) - (a > b)

        @JOverride
        def equals(self, other):
            return self is other

    step("static method")
    results = [java.lang.Math.abs(-1)]
    step("collection")
    numbers = java.util.ArrayList([3, 1, 2])
    java.util.Collections.sort(numbers, Backwards())
    results.append([int(number) for number in numbers])
    step("exception")
    try:
        java.lang.Integer.parseInt("no number")
    except java.lang.NumberFormatException as error:
        results.append("no number" in str(error))
    step("deep regular expression")
    try:
        java.util.regex.Pattern.compile("(a|b)*").matcher("ab" * 50_000).matches()
    except java.lang.StackOverflowError:
        results.append("StackOverflowError")
    step("collector")
    java.lang.System.gc()
    return results


@case(JPYPE, prepare=java, on_thread_stack=JAVA, fast=True)
def java_methods(jpype):
    """Methods of Java, exceptions, callbacks and a regular expression that exhausts Java's stack."""
    return use_java(jpype)


def in_gevent_pool(function):
    """Call *function* in a thread of gevent's pool, which runs it in the greenlet of the worker."""
    import gevent

    return gevent.get_hub().threadpool.apply(function)


@case(JPYPE_IN_GEVENT, prepare=java, inside=in_gevent_pool, on_thread_stack=JAVA)
def java_in_gevent_pool(jpype):
    """The same in a thread of gevent's pool."""
    return use_java(jpype)


def in_executor(function):
    """Wait in a greenlet for *function* to be called in a thread of concurrent.futures."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return in_greenlet(lambda: pool.submit(function).result())


@case(JPYPE, prepare=java, inside=in_executor)
def java_in_executor(jpype):
    """The same in a thread of concurrent.futures, for which a greenlet waits."""
    return use_java(jpype)


@case(JPYPE, on_thread_stack=JAVA)
def java_started_inside():
    """The virtual machine is started inside, then the same."""
    return use_java(java())


def mono():
    import ctypes

    library = ctypes.CDLL("libmonosgen-2.0.so.1")
    for name in (
        "mono_jit_init",
        "mono_get_corlib",
        "mono_method_desc_new",
        "mono_method_desc_search_in_image",
        "mono_runtime_invoke",
        "mono_object_unbox",
        "mono_string_new",
        "mono_string_to_utf8",
    ):
        getattr(library, name).restype = ctypes.c_void_p
    return library, ctypes.c_void_p(library.mono_jit_init(b"case"))


def use_mono(library, domain):
    import ctypes

    def method(name):
        description = ctypes.c_void_p(library.mono_method_desc_new(name, True))
        image = ctypes.c_void_p(library.mono_get_corlib())
        return ctypes.c_void_p(library.mono_method_desc_search_in_image(description, image))

    step("static method")
    argument = ctypes.c_int(-1)
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(argument))
    boxed = library.mono_runtime_invoke(method(b"System.Math:Abs(int)"), None, arguments, None)
    results = [ctypes.c_int.from_address(library.mono_object_unbox(ctypes.c_void_p(boxed))).value]
    step("objects")
    library.mono_gchandle_new.restype = ctypes.c_uint32
    library.mono_gchandle_get_target.restype = ctypes.c_void_p
    handles = [
        library.mono_gchandle_new(ctypes.c_void_p(library.mono_string_new(domain, b"text %d" % i)), False)
        for i in range(10_000)
    ]
    step("collector")
    for _ in range(3):
        library.mono_gc_collect(library.mono_gc_max_generation())
    step("objects again")
    last = ctypes.c_void_p(library.mono_gchandle_get_target(handles[-1]))
    return [*results, ctypes.string_at(library.mono_string_to_utf8(last)).decode()]


@case(MONO, prepare=mono, on_thread_stack=DOT_NET)
def methods_and_collector(started):
    """Mono, started outside: a method, 10,000 strings, and the collector."""
    return use_mono(*started)


@case(MONO, on_thread_stack=DOT_NET)
def started_inside():
    """Mono is started inside, then the same."""
    return use_mono(*mono())


def r():
    import ctypes
    import os

    os.environ["R_HOME"] = "/usr/lib/R"
    library = ctypes.CDLL("/usr/lib/R/lib/libR.so", mode=ctypes.RTLD_GLOBAL)
    library.Rf_initEmbeddedR(3, (ctypes.c_char_p * 3)(b"R", b"--silent", b"--vanilla"))
    return library


@case(R, prepare=r, on_thread_stack=R_STACK)
def functions_of_r(library):
    """R, embedded as by rpy2: recursion, endless recursion that R catches, and its collector."""
    import ctypes

    library.R_ParseEvalString.restype = ctypes.c_void_p
    library.Rf_asInteger.argtypes = [ctypes.c_void_p]
    results = []
    for script in (
        b"sum(1:10)",
        b"{f <- function(n) if (n == 0) 0 else 1 + f(n - 1); f(300)}",
        b"{g <- function() g(); tryCatch(g(), error = function(e) 7)}",
        b"{x <- as.list(1:100000); gc(); length(x)}",
    ):
        step(script.decode())
        value = library.R_ParseEvalString(script, ctypes.c_void_p.in_dll(library, "R_GlobalEnv"))
        results.append(library.Rf_asInteger(value))
    return results


@case(GO)
def jsonnet_in_go():
    """Jsonnet in Go, whose runtime records the stack when C calls Go; it calls Python, which calls it again."""
    import _gojsonnet

    def again(n):
        source = f"1 + std.native('again')({n - 1:.0f})" if n else "0"
        return int(_gojsonnet.evaluate_snippet("case", source, native_callbacks={"again": (("n",), again)}))

    recursion = "local f(n) = if n == 0 then 0 else 1 + f(n - 1); f(400)"
    results = [_gojsonnet.evaluate_snippet("case", recursion).strip(), again(10)]
    try:
        _gojsonnet.evaluate_snippet("case", "local f(n) = 1 + f(n + 1); f(0)")
    except RuntimeError as error:
        results.append("max stack frames" in str(error))
    return results


def application():
    import os

    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    return QApplication.instance() or QApplication([])


@case(QT, prepare=application)
def widgets(_):
    """A tree of nested widgets and a widget that Python paints, drawn into an image."""
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QPainter, QPixmap
    from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QTextEdit, QVBoxLayout, QWidget

    class Painted(QWidget):
        def paintEvent(self, event):
            with QPainter(self) as painter:
                painter.fillRect(self.rect(), Qt.GlobalColor.red)

    def nest(depth):
        widget = QWidget()
        layout = QVBoxLayout(widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(nest(depth - 1) if depth else Painted())
        return widget

    step("nested")
    outer = nest(50)
    outer.resize(100, 100)
    image = outer.grab().toImage()
    results = [image.width(), image.pixelColor(50, 50).name()]
    step("others")
    for widget in (QLabel("<b>label</b>"), QLineEdit("line"), QPushButton("button"), QTextEdit("<table><tr><td>" * 5)):
        widget.resize(100, 100)
        pixmap = QPixmap(100, 100)
        widget.render(pixmap)
        results.append(pixmap.width())
    return results


@case(QT, prepare=application)
def nested_event_loops(_):
    """Event loops in event loops, 20 deep, each ended by a timer; signals and slots."""
    from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal

    class Sender(QObject):
        sent = Signal(int)

    reached = []

    def run(depth):
        loop = QEventLoop()
        QTimer.singleShot(0, lambda: (depth and run(depth - 1), loop.quit()))
        loop.exec()
        reached.append(depth)

    run(20)

    def again(n):
        reached.append(n)
        if n:
            sender.sent.emit(n - 1)

    sender = Sender()
    sender.sent.connect(again)
    sender.sent.emit(10)
    return reached


@case(QT, prepare=application)
def text_and_expressions(_):
    """A regular expression, JSON nested 500 deep, a document of HTML and a picture of it."""
    from PySide6.QtCore import QJsonDocument, QRegularExpression
    from PySide6.QtGui import QImage, QPainter, QTextDocument

    step("regular expression")
    results = [QRegularExpression("^(a|b)*c$").match("ab" * 500 + "c").hasMatch()]
    step("JSON")
    results.append(QJsonDocument.fromJson(b"[" * 500 + b"]" * 500).toJson().size() > 1000)
    step("document")
    document = QTextDocument()
    document.setHtml("<div><b>" * 100 + "text" + "</b></div>" * 100)
    image = QImage(100, 100, QImage.Format.Format_RGB32)
    with QPainter(image) as painter:
        document.drawContents(painter)
    return [*results, document.toPlainText()]


@case(QT, prepare=application, on_thread_stack=JAVASCRIPT)
def javascript_engine(_):
    """QJSEngine evaluates 1 + 1, and a script with infinite recursion is an error."""
    from PySide6.QtQml import QJSEngine

    engine = QJSEngine()
    results = []
    for script in (
        "1 + 1",
        "(function f(n) { return n ? 1 + f(n - 1) : 0 })(100)",
        "(function f() { return 1 + f() })()",
    ):
        step(script)
        value = engine.evaluate(script)
        results.append("error" if value.isError() else value.toInt())
    return results


@case(QT, prepare=application, on_thread_stack=JAVASCRIPT)
def qml_component(_):
    """A QML component is created whose properties are bound to each other."""
    from PySide6.QtCore import QUrl
    from PySide6.QtQml import QQmlComponent, QQmlEngine

    engine = QQmlEngine()
    component = QQmlComponent(engine)
    component.setData(b"import QtQml\nQtObject { property int a: 20; property int b: a * 2 + 1 }", QUrl())
    made = component.create()
    made.setProperty("a", 21)
    return [made.property("b"), component.errorString()]


def collect_with_libgc(library):
    """Allocate reachable and unreachable memory, collect, and check what is reachable."""
    import ctypes

    step("GC_init")
    library.GC_init()
    library.GC_malloc.restype = ctypes.c_void_p
    library.GC_malloc.argtypes = [ctypes.c_size_t]
    root = library.GC_malloc_uncollectable
    root.restype, root.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    kept = (ctypes.c_void_p * 1000).from_address(root(8000))
    for i in range(1000):
        for _ in range(20):
            library.GC_malloc(1000)
        kept[i] = library.GC_malloc(1000)
        ctypes.memset(kept[i], i % 256, 1000)
    step("GC_gcollect")
    for _ in range(3):
        library.GC_gcollect()
    return all(ctypes.string_at(kept[i], 1000) == bytes([i % 256]) * 1000 for i in range(1000))


def libgc():
    import ctypes

    library = ctypes.CDLL("libgc.so.1")
    library.GC_init()
    return library


@case(LIBGC, prepare=libgc, on_thread_stack=COLLECTOR, fast=True)
def collect(library):
    """The collector of Boehm, Demers and Weiser, as in Guile or Inkscape: GC_init() outside, GC_gcollect() inside."""
    return collect_with_libgc(library)


@case(LIBGC, on_thread_stack=COLLECTOR)
def initialize_and_collect():
    """GC_init() and GC_gcollect() inside."""
    import ctypes

    return collect_with_libgc(ctypes.CDLL("libgc.so.1"))


@case(CPYTHON, fast=True)
def faulthandler():
    """dump_traceback() from inside, of all threads and later, shows the names of the functions."""
    import re
    import tempfile
    import time
    from faulthandler import cancel_dump_traceback_later, dump_traceback, dump_traceback_later

    def inner(file):
        dump_traceback(file, all_threads=True)
        dump_traceback_later(0.1, file=file)
        time.sleep(0.5)
        cancel_dump_traceback_later()

    with tempfile.TemporaryFile("w+") as file:
        inner(file)
        file.seek(0)
        return re.findall(r" in (inner|faulthandler)\b", file.read())
