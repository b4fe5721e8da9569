/// The look of a report: one column on a phone, two charts side by side where there is room, light or dark as the reader's
/// system is.
enum ReportStyle {
    static let css: HTML = """
        :root{color-scheme:light dark;--ink:#1f2937;--soft:#6b7280;--paper:#fff;--box:#f9fafb;--rule:#e5e7eb;\
        --good:#059669;--warn:#b45309;--bad:#dc2626;--link:#2563eb}
        @media (prefers-color-scheme:dark){:root{--ink:#e5e7eb;--soft:#9ca3af;--paper:#111827;--box:#1f2937;--rule:#374151;\
        --good:#34d399;--warn:#fbbf24;--bad:#f87171;--link:#60a5fa}}
        *{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:16px;background:var(--paper);color:var(--ink);\
        font:15px/1.6 system-ui,"Hiragino Sans","Noto Sans CJK JP","Noto Sans JP",sans-serif;overflow-wrap:anywhere}
        a{color:var(--link)}h1{font-size:1.5rem;margin:.2em 0}h2{font-size:1.1rem;margin:1.6em 0 .6em;border-bottom:1px solid var(--rule)}
        header p{margin:.2em 0;color:var(--soft)}.message{color:var(--bad)!important}
        .badge{display:inline-block;font-size:.75rem;padding:0 .6em;border-radius:1em;border:1px solid currentColor;\
        white-space:nowrap}
        .good{color:var(--good)}.warn,.warning{color:var(--warn)}.bad,.critical{color:var(--bad)}
        .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin-top:1em}
        .card{background:var(--box);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
        .card .name,.card .note{font-size:.75rem;color:var(--soft)}.card .value{font-size:1.35rem;font-weight:600}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}
        figure{margin:0;background:var(--box);border:1px solid var(--rule);border-radius:8px;padding:8px}
        .chart{display:block;width:100%;height:auto}
        .alerts{list-style:none;padding:0}.alerts li{border-left:4px solid currentColor;background:var(--box);\
        padding:8px 12px;margin:8px 0;border-radius:0 8px 8px 0}.alerts div{color:var(--ink)}
        .alerts .advice,.when{color:var(--soft)!important;font-size:.9rem}
        table{border-collapse:collapse;width:100%;font-size:.9rem}th{text-align:left;font-weight:600;vertical-align:top;\
        padding:4px 12px 4px 0;white-space:nowrap}td{padding:4px 8px 4px 0;vertical-align:top}tr{border-bottom:1px solid \
        var(--rule)}.answers td{white-space:pre-wrap}
        .answer{max-height:9em;overflow:auto}
        details{margin:.6em 0}summary{cursor:pointer;font-weight:600}pre,code{font-size:.82rem;white-space:pre-wrap}
        pre{background:var(--box);border:1px solid var(--rule);border-radius:8px;padding:12px}
        .control{margin:.8em 0;display:flex;flex-wrap:wrap;gap:10px;align-items:center}.control form,.control p{margin:0}
        button,select{font:inherit;padding:3px 12px;border:1px solid var(--rule);border-radius:6px;background:var(--box);\
        color:var(--ink);cursor:pointer}button.bad{color:var(--bad);border-color:currentColor}
        .side{table-layout:fixed}.side th{white-space:normal;width:22%}
        #news:not(:empty){position:fixed;right:0;bottom:0;padding:2px 10px;font-size:.75rem;color:var(--soft);\
        background:var(--box);border:1px solid var(--rule);border-radius:8px 0 0}
        """
}
