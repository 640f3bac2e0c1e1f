"""The style sheet of the page made from a recording."""

STYLE = """
:root{color-scheme:light dark;--back:#fff;--text:#1d2329;--soft:#5b6670;--line:#dde2e7;--lane:#f2f4f7;--note:#fff4d6;
--c0:#1f6fb5;--c1:#b4541a;--c2:#2c8048;--c3:#8a4fa8;--c4:#a33a4d;--c5:#5d6b1c}
@media (prefers-color-scheme:dark){:root{--back:#14181c;--text:#e3e8ed;--soft:#98a4af;--line:#2c343b;--lane:#1e242a;
--note:#40361a;--c0:#62b0f2;--c1:#f0965a;--c2:#69c98a;--c3:#c693e2;--c4:#ee8496;--c5:#bccb66}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:22px;margin:0 0 2px}
h2{font-size:17px;margin:30px 0 6px}
p{margin:0 0 8px;color:var(--soft)}
.note{background:var(--note);color:var(--text);padding:7px 10px;border-radius:5px}
.key{font-size:13px}
.chart{font-variant-numeric:tabular-nums}
.row{display:grid;grid-template-columns:230px 1fr;gap:12px;align-items:center;padding:2px 0}
.name{display:flex;justify-content:flex-end;white-space:pre;font-size:13px;min-width:0}
.name b{font-weight:400;overflow:hidden;text-overflow:ellipsis;min-width:0}
.name span{color:var(--soft)}
.threads{display:flex;flex-wrap:wrap;gap:2px 16px}
.threads i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px}
.rest .name{color:var(--soft);font-style:italic}
.row svg{width:100%;height:18px;background:var(--lane);border-radius:3px;display:block}
.axis{position:sticky;top:0;background:var(--back);z-index:1}
.axis div{position:relative;height:20px;font-size:12px;color:var(--soft)}
.axis div span{position:absolute;border-left:1px solid var(--soft);padding-left:4px;white-space:nowrap;line-height:18px}
.axis div .end{transform:translateX(-100%);border-left:0;border-right:1px solid var(--soft);padding:0 4px 0 0}
.c0{fill:var(--c0);background-color:var(--c0)}.c1{fill:var(--c1);background-color:var(--c1)}
.c2{fill:var(--c2);background-color:var(--c2)}.c3{fill:var(--c3);background-color:var(--c3)}
.c4{fill:var(--c4);background-color:var(--c4)}.c5{fill:var(--c5);background-color:var(--c5)}
.row svg{background-color:var(--lane)}
.rest svg{fill:var(--soft)}
.l1{opacity:.35}.l2{opacity:.55}.l3{opacity:.77}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
th:first-child{text-align:left;padding-left:0;white-space:normal;overflow-wrap:anywhere}
td:last-child,th:last-child{padding-right:0}
thead th{color:var(--soft);font-weight:600;font-size:13px;white-space:normal;vertical-align:bottom}
tbody th{font-weight:400}
tbody th span{color:var(--soft)}
td{position:relative}
td{min-width:64px}
td i{position:absolute;right:8px;bottom:1px;height:3px;border-radius:2px;max-width:calc(100% - 16px)}
@media (max-width:640px){.row{grid-template-columns:1fr;gap:1px;padding:4px 0}.name{justify-content:flex-start}
.axis>span{display:none}main{padding:14px 12px 40px}table{font-size:13px}th,td{padding:5px 4px}h1{font-size:20px}}
"""
