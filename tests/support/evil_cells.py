"""Cells that do to a session whatever a program can do by accident, each with the outcome it must be given.

Every cell finds `os`, `signal`, `sys`, `threading` and `time` imported and begins by changing what earlier cells have
made, so that a rollback which forgets something shows. A cell that outlives its branch leaves a file `escaped`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EVIL", "Evil"]


@dataclass(frozen=True)
class Evil:
    """One such cell.

    Attributes:
        name: what it does, in words.
        outcomes: the right names for how it ends, separated by blanks; mostly there is only one.
        code: the cell.
        told: words that the message about it must contain.
        until: what the session prints, after the cell has ended, when the harm is done.
        later: how an innocent cell after it may end; if that dies, the evil cell's changes may go with it.

    """

    name: str
    outcomes: str
    code: str
    told: str = ""
    until: str = ""
    later: str = "ok"


_ENDLESS = [
    Evil("spin", "timeout", "while True: pass", told="longer than"),
    Evil(
        "swallow every exception",
        "timeout",
        """
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    ),
    Evil("catastrophic regex", "timeout", "import re; re.match(r'(a+)+b', 'a' * 64)"),
    Evil("long loop in C", "timeout", "sum(range(10**12))"),
    Evil("BLAS", "timeout", "import numpy as np; m = np.ones((6000, 6000))\nwhile True: m @ m"),
    Evil("big integers", "timeout", "10 ** 10 ** 8"),
    Evil("sleep", "timeout", "print('said before', flush=True); time.sleep(1e8)"),
    Evil("sleep with the lock of the interpreter", "timeout", "import ctypes; ctypes.PyDLL(None).sleep(10_000)"),
    Evil(
        "objects added with the lock of the interpreter",
        "timeout",
        "import numpy as np; a = np.full(20_000_000, 10**30, dtype=object)\nwhile True: a.sum()",
    ),
    Evil(
        "every signal ignored",
        "timeout",
        """
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True: pass
""",
    ),
    Evil("stops itself", "timeout", "os.kill(os.getpid(), signal.SIGSTOP)"),
    Evil("await for ever", "timeout", "import asyncio; await asyncio.sleep(1e8)"),
    Evil("deadlock", "timeout", "lock = threading.Lock(); lock.acquire(); lock.acquire()"),
    Evil("waits for children that are none of its own", "timeout error", "while True: os.wait()"),
    Evil("endless output", "timeout", "while True: print('x' * 1000)"),
    Evil("trace function that spins", "timeout", "def spin(*_):\n    while True: pass\nsys.settrace(spin)"),
    Evil(
        "value that takes for ever to show",
        "timeout",
        "class C:\n    def __repr__(self):\n        while True: pass\nC()",
    ),
]

_DEADLY = [
    Evil("segmentation fault", "died", "import ctypes; ctypes.string_at(0)", told="SIGSEGV"),
    Evil("exit 0", "died", "os._exit(0)", told="code 0"),
    Evil("exit 1", "died", "os._exit(1)", told="code 1"),
    Evil("abort", "died", "os.abort()", told="SIGABRT"),
    Evil("runaway recursion in C", "died", "sys.setrecursionlimit(10**9)\nf = lambda n: list(map(f, [n]))\nf(0)"),
    Evil("kills itself through a thread id", "died", "signal.pthread_kill(threading.get_ident(), signal.SIGKILL)"),
    Evil("kills its process group", "died", "os.killpg(0, signal.SIGKILL)"),
    Evil(
        "faulthandler pulls the plug",
        "died",
        "import faulthandler; faulthandler.dump_traceback_later(0.05, exit=True); time.sleep(600)",
        told="code 1",
    ),
    Evil(
        "collector's hook segfaults",
        "died",
        "import ctypes, gc\ngc.callbacks.append(lambda *_: ctypes.string_at(0))\ngc.collect()",
    ),
    Evil("CPU limit", "died", "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"),
    Evil("another program in its place", "died", "os.execvp('true', ['true'])"),
    Evil("another program in its place, endless", "died", "os.execvp('sleep', ['sleep', '600'])"),
    Evil(
        "every dictionary emptied",
        "died timeout error ok",
        "import gc\nfor d in gc.get_objects():\n    if type(d) is dict: d.clear()",
        later="died ok",
    ),
    Evil(
        "answer that dies when shown",
        "died",
        "class C:\n    def __repr__(self): os._exit(7)\nFINAL(C())",
        told="code 7",
    ),
    Evil("recorder of answers broken", "died", "FINAL.__self__.describe = lambda: 1 / 0"),
    Evil("builtins rebound", "died", "import builtins; builtins.isinstance = builtins.len = builtins.sorted = None"),
]

_CROWDED = [
    Evil(
        "daemon in a session of its own",
        "timeout",
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(20); open('escaped', 'w')
    os._exit(0)
while True: pass
""",
    ),
    Evil(
        "daemon deaf to signals, cell returns",
        "ok",
        """
if os.fork() == 0:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if os.fork() == 0:
        time.sleep(20); open('escaped', 'w')
    os._exit(0)
""",
    ),
    Evil("subprocess", "timeout", "import subprocess; subprocess.run(['sleep', '600'])"),
    Evil(
        "subprocess in a session of its own",
        "timeout",
        "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)\nwhile True: pass",
    ),
    Evil(
        "pool of processes",
        "timeout",
        "import multiprocessing as mp\nmp.get_context('fork').Pool(4).map(time.sleep, [600] * 4)",
    ),
    Evil(
        "spawned process, cell returns",
        "ok",
        "import multiprocessing as mp\nmp.get_context('spawn').Process(target=time.sleep, args=[600]).start()",
    ),
    Evil("30 processes", "timeout", "for _ in range(30):\n    if os.fork() == 0: break\nwhile True: pass"),
    Evil("256 processes", "timeout", "for _ in range(8): os.fork()\nwhile True: pass"),
    Evil("tight loop of forks", "timeout", "while True:\n    if os.fork() == 0: os._exit(0)"),
    Evil(
        "hops from process to process",
        "died",
        """
end = time.time() + 10
while time.time() < end:
    if os.fork(): os._exit(0)
open('escaped', 'w')
""",
    ),
    Evil(
        "hops from session to session",
        "died",
        """
end = time.time() + 10
while time.time() < end:
    if os.fork(): os._exit(0)
    os.setsid()
open('escaped', 'w')
""",
    ),
    Evil("busy thread, cell returns", "ok", "def spin():\n    while True: pass\nthreading.Thread(target=spin).start()"),
    Evil(
        "thread that prints for ever, cell returns",
        "ok",
        "def chat():\n    while True: print('still here')\nthreading.Thread(target=chat).start()",
        until="still here",
    ),
    Evil(
        "thread that asks between two cells",
        "ok",
        """
def ask():
    while 'command' not in stack(threading.main_thread()): time.sleep(0.001)
    os.write(1, b'asking')
    llm_query('late')
def stack(thread):
    frame, names = sys._current_frames()[thread.ident], []
    while frame: names.append(frame.f_code.co_name); frame = frame.f_back
    return names
threading.Thread(target=ask).start()
""",
        until="asking",
    ),
]

_TAMPERING = [
    Evil("every descriptor closed, then spin", "timeout died", "os.closerange(0, 1000)\nwhile True: pass"),
    Evil("every descriptor closed", "died", "os.closerange(0, 1000)"),
    Evil(
        "garbage into every descriptor",
        "died timeout",
        """
for fd in range(3, 120):
    try: os.write(fd, os.urandom(4096))
    except OSError: pass
""",
    ),
    Evil(
        "bottomless JSON in a frame",
        "died timeout ok",
        """
import struct
body = b'[' * 100_000
for fd in range(3, 120):
    try: os.write(fd, b'RLM1' + struct.pack('>I', len(body)) + body)
    except OSError: pass
""",
    ),
    Evil(
        "no descriptor left",
        "ok",
        """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
hoard = []
try:
    while True: hoard.append(os.dup(0))
except OSError: pass
""",
        later="ok died",
    ),
    Evil("a gigabyte printed", "ok", "for _ in range(1024): print('x' * 2**20)"),
    Evil("a gigabyte written below Python", "ok", "for _ in range(1024): os.write(1, b'x' * 2**20)"),
    Evil("standard streams closed", "ok", "sys.stdout.close(); sys.stderr = None; sys.__stdout__ = None"),
    Evil("print sent elsewhere", "ok", "sys.stdout = sys.stderr = open(os.devnull, 'w')"),
    Evil("nanny stopped", "timeout", "os.kill(os.getppid(), signal.SIGSTOP)\nwhile True: pass"),
    Evil("nanny told to end", "timeout", "os.kill(os.getppid(), signal.SIGTERM)\nwhile True: pass"),
    Evil("nanny killed", "died", "os.kill(os.getppid(), signal.SIGKILL)\nwhile True: pass"),
    Evil("whole session killed", "died", "os.killpg(os.getsid(0), signal.SIGKILL)\nwhile True: pass"),
    Evil(
        "every child killed, then dead",
        "died",
        """
import psutil
for child in psutil.Process().children(recursive=True): child.kill()
os._exit(1)
""",
    ),
    Evil(
        "alarm set for after the cell",
        "ok",
        "signal.signal(signal.SIGALRM, lambda *_: os._exit(3)); signal.setitimer(signal.ITIMER_REAL, 0.05)",
    ),
    Evil(
        "interrupt after the cell",
        "ok",
        "threading.Timer(0.05, lambda: (os.write(1, b'sent'), os.kill(os.getpid(), signal.SIGINT))).start()",
        until="sent",
        later="ok died error",
    ),
    Evil("at exit, spin", "ok", "import atexit\ndef spin():\n    while True: pass\natexit.register(spin)"),
    Evil("exit at exit", "error", "import atexit; atexit.register(os._exit, 1); sys.exit()"),
    Evil("collector frozen and off", "ok", "import gc; gc.freeze(); gc.disable(); gc.set_threshold(0)"),
    Evil("modules forgotten", "ok", "sys.modules.clear()", later="ok died"),
    Evil("fork broken", "ok", "os.fork = None", later="died"),
    Evil(
        "checkpoints broken", "ok", "import rlm_kernel.branches.runner as r; r._Runner._checkpoint = None", later="died"
    ),
    Evil("scaffold emptied", "ok", "FINAL.__self__._session._fixed.clear(); FINAL.__self__._session.repair = list"),
    Evil("elsewhere, and that is gone", "ok", "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"),
    Evil("error that cannot be shown", "error", "class E(Exception):\n    def __str__(self): return 1 / 0\nraise E"),
    Evil("huge error", "error", "raise ValueError('x' * 10**8)"),
    Evil("not an Exception", "error", "raise GeneratorExit"),
    Evil("half a surrogate pair", "ok", "print('\\ud800'); '\\ud800'"),
]

_GREEDY = [
    Evil("memory bomb", "killed", "hoard = []\nwhile True: hoard.append(bytearray(2**24))", told="memory"),
    Evil("10 GB string", "killed", "s = 'x' * 10**10", told="memory"),
    Evil("recursion without end", "killed", "sys.setrecursionlimit(10**9)\ndef f(): f()\nf()", told="memory"),
    Evil(
        "memory bomb in many processes",
        "killed",
        "for _ in range(3): os.fork()\nhoard = []\nwhile True: hoard.append(bytearray(2**22))",
        told="memory",
    ),
    Evil("frames without end", "killed", "hoard = []\nwhile True: hoard.append(df + 1)", told="memory"),
]

EVIL = [*_ENDLESS, *_DEADLY, *_CROWDED, *_TAMPERING, *_GREEDY]
"""All of them."""
