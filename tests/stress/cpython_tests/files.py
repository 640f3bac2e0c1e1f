"""The test files of CPython that run: they nest calls deeply, or use frames, exceptions, contexts, threads, garbage."""

DATA = """ast bool builtin bytes call class collections copy copyreg csv datetime decimal defaultdict deque descr dict dictviews enum
    exceptions exception_group extcall fractions fstring functools hash io isinstance itertools iter json list long marshal
    memoryio memoryview minidom ordered_dict patma pickle pickletools plistlib pprint pyexpat re reprlib richcmp sax set sort
    sqlite3 statistics str struct tomllib tuple typing unicode userdict userlist userstring xml_etree xml_etree_c zoneinfo"""
SOURCES = """code compile dis eof except_star grammar import inspect opcache peepholer symtable syntax tokenize type_params
    unparse"""
FRAMES = """bdb cprofile doctest faulthandler frame monitoring pdb profile raise sys sys_setprofile sys_settrace trace traceback
    tracemalloc warnings with"""
COROUTINES = """asyncgen baseexception context contextlib contextlib_async coroutines generator_stop generators genexps
    listcomps scope super types yield_from"""
THREADS = """fork1 free_threading interpreters logging queue sched signal thread threadedtempfile threading threading_local
    threadsignals"""
OBJECTS = "audit capi ctypes finalization gc weakref weakset"
LONG = "asyncio"

FILES = [
    f"test_{name}" for names in (DATA, SOURCES, FRAMES, COROUTINES, THREADS, OBJECTS, LONG) for name in names.split()
]
