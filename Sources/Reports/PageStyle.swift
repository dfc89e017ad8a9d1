/// How reports look: one hue for gains, its opposite for losses (blue and orange, which colour-blind readers tell
/// apart), greys for all else. Strength is opacity over the page's own colour, so that light, dark and paper need no
/// tables of colours.
enum PageStyle {
  /// Colours and what charts are drawn with; all that a plot in a file of its own needs.
  static let charts: StaticString = """
    :root{color-scheme:light dark;--page:#fdfdfb;--ink:#1b1d21;--soft:#5c6169;--faint:#8b9098;--line:#dcdcd6;--cell:#f1f1ec;
    --gain:#0b5cad;--loss:#d9640c;--on:#ffffff}
    @media (prefers-color-scheme:dark){:root{--page:#15171a;--ink:#e7e6e2;--soft:#a4a8ae;--faint:#777c84;--line:#34373c;
    --cell:#1f2226;--gain:#6db3f8;--loss:#f79a4f;--on:#0d1014}}
    @media print{:root{color-scheme:light;--page:#ffffff;--ink:#1b1d21;--soft:#5c6169;--faint:#85898f;--line:#d4d4ce;
    --cell:#f4f4f0;--gain:#0b5cad;--loss:#d9640c;--on:#ffffff}}
    svg{font:11px/1.3 "Inter",system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
    font-variant-numeric:tabular-nums;overflow:visible;display:block}
    text{fill:var(--soft)} .ink{fill:var(--ink)} .on{fill:var(--on)} .middle{text-anchor:middle} .end{text-anchor:end}
    .strong{font-weight:600} .small{font-size:10px}
    .rule{stroke:var(--line);stroke-width:1} .zero{stroke:var(--faint);stroke-width:1}
    .gain{fill:var(--gain)} .loss{fill:var(--loss)} .even{fill:var(--faint)} .cell{fill:var(--cell)}
    .gain-line{stroke:var(--gain)} .loss-line{stroke:var(--loss)} .even-line{stroke:var(--faint)}
    .curve{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round} .thin{stroke-width:1}
    .curve.ink-line{stroke:var(--ink)} .ink-line{stroke:var(--ink)} .soft-line{stroke:var(--soft)}
    .dashed{stroke-dasharray:4 3} .dotted{stroke-dasharray:1.5 3.5} .dots{fill:none;stroke-width:5;stroke-linecap:round;
    vector-effect:non-scaling-stroke} .dots.slight{stroke-width:3;stroke-opacity:.6} .hollow{fill:var(--page);stroke-width:1.25}
    .faded{fill-opacity:.5} .kept{stroke:var(--ink);stroke-width:1.25}
    """

  static let page: StaticString = """
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 "Inter",system-ui,-apple-system,"Segoe UI",Roboto,
    "Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;-webkit-print-color-adjust:exact;
    print-color-adjust:exact}
    main{max-width:62rem;margin:0 auto;padding:3.5rem 1.5rem 5rem}
    h1{font-size:1.05rem;font-weight:500;color:var(--soft);margin:0 0 1.6rem;overflow-wrap:anywhere} h1 b{color:var(--ink);
    font-weight:600}
    .verdict{font-size:clamp(1.6rem,1.1rem + 2.2vw,2.5rem);line-height:1.18;font-weight:600;letter-spacing:-.02em;margin:0;
    max-width:24em;text-wrap:balance}
    .lede{margin:1rem 0 0;color:var(--soft);max-width:44em}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11.5rem,1fr));gap:1.4rem 2rem;margin:2.4rem 0 0;
    padding:1.4rem 0 0;border-top:1px solid var(--line)}
    .fact b{display:block;font-size:1.35rem;line-height:1.25;font-weight:600;letter-spacing:-.015em;white-space:nowrap}
    .fact b i{font-style:normal;font-weight:400;color:var(--faint)} .fact b .better{color:var(--gain)}
    .fact b .worse{color:var(--loss)} .fact span{display:block;font-size:.82rem;color:var(--soft);line-height:1.4}
    .when{margin:1.6rem 0 0;font-size:.78rem;color:var(--faint)}
    nav{display:flex;flex-wrap:wrap;gap:.25rem 1.3rem;margin:1.4rem 0 0;padding:.9rem 0 0;border-top:1px solid var(--line);
    font-size:.82rem} nav a{color:var(--soft);text-decoration:none} nav a:hover{text-decoration:underline}
    section{margin:4rem 0 0;scroll-margin-top:1.5rem}
    details{margin:1.6rem 0 0} summary{cursor:pointer;font-size:.82rem;color:var(--soft)} details>div{margin-top:1rem}
    details td,details th{text-align:left}
    h2{font-size:1.2rem;line-height:1.3;font-weight:600;letter-spacing:-.01em;margin:0 0 .35rem}
    h3{font-size:.82rem;font-weight:600;margin:0 0 .3rem;color:var(--ink);overflow-wrap:anywhere} h3 span{font-weight:400;
    color:var(--soft)}
    p.note{margin:0 0 1.4rem;color:var(--soft);font-size:.9rem;line-height:1.5;max-width:48em}
    p.left-out{margin:1rem 0 0;color:var(--soft);font-size:.82rem}
    figure{margin:0} .key{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;margin:.9rem 0 0;font-size:.78rem;color:var(--soft);
    align-items:center} .key>span{display:inline-flex;gap:.45rem;align-items:center} .key svg{flex:none}
    .framed{display:grid;grid-template-columns:3.4rem minmax(0,1fr)} .framed.slim{grid-template-columns:2.9rem minmax(0,1fr)}
    .framed.tagged{grid-template-columns:3.4rem minmax(0,1fr) 3.6rem}
    .panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.6rem,1fr));gap:1.5rem 1.6rem}
    .panels.wide{grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:2rem 2.6rem}
    .panel h3{display:flex;justify-content:space-between;flex-wrap:wrap;gap:0 .5rem;
    font-size:.75rem;white-space:nowrap}
    .panel{border-top:1px solid var(--line);padding-top:.4rem;min-width:0}
    table{border-collapse:collapse;width:100%;font-size:.88rem} th{font-weight:500;color:var(--soft);font-size:.78rem;
    text-align:right;padding:.3rem .5rem .3rem 0;white-space:nowrap} th:first-child,td:first-child{text-align:left}
    td{text-align:right;padding:.34rem .5rem .34rem 0;white-space:nowrap;border-top:1px solid var(--line)}
    td:first-child{white-space:normal;overflow-wrap:anywhere} tr.whole td{font-weight:600} tr.whole td:first-child{color:var(--ink)}
    tr.group td{border-top:0;padding-top:1.4rem;font-size:.78rem;color:var(--soft)}
    td.graph,th.graph{width:38%;padding-left:1.2rem;padding-right:0} td .minor{font-weight:400;color:var(--soft)}
    .columns{columns:2 22rem;column-gap:3rem} .columns table{break-inside:auto}
    dl{display:grid;grid-template-columns:minmax(7rem,11rem) minmax(0,1fr);gap:.35rem 1.5rem;margin:0;font-size:.88rem}
    dt{color:var(--soft)} dd{margin:0;overflow-wrap:anywhere} dd code{color:var(--soft)}
    code,pre{font:.82rem/1.6 ui-monospace,"SF Mono",SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
    pre{margin:0 0 1.4rem;padding:.9rem 1.1rem;background:var(--cell);border-radius:6px;white-space:pre-wrap;
    overflow-wrap:anywhere}
    a{color:inherit;text-decoration-color:var(--faint);text-underline-offset:2px}
    footer{margin:4rem 0 0;padding:1.2rem 0 0;border-top:1px solid var(--line);font-size:.8rem;color:var(--soft)}
    .scroll{overflow-x:auto;overflow-y:hidden;padding:0 0 .2rem}
    @media (max-width:40rem){main{padding:2rem 1.1rem 3rem} section{margin-top:3rem} .crowded .rank,.crowded .role,.crowded .word{display:none}
    .facts{grid-template-columns:1fr 1fr;gap:1.2rem 1rem} .fact b{font-size:1rem}
    .texts thead{display:none} .texts tr{display:grid;grid-template-columns:auto auto minmax(0,1fr);gap:0 .4rem;
    border-top:1px solid var(--line);padding:.4rem 0} .texts td:first-child{grid-column:1/-1}
    .texts td.before::after{content:" →"} .texts td.before{color:var(--soft)} .texts tr.group{border:0;padding:.8rem 0 0} .texts td{border:0;
    padding:0} .texts tr.group td{padding:0} .texts td.graph{grid-column:1/-1;width:auto;padding:.1rem 0 0}
    .beside thead{display:none} .beside tr{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 .9rem;
    border-top:1px solid var(--line);padding:.4rem 0} .beside td{border:0;padding:0}
    .beside td:first-child{grid-area:1/1} .beside td:nth-child(3){grid-area:1/2} .beside td.perplexity{grid-area:2/1;
    text-align:left} .beside td.perplexity::before{content:"perplexity "} .beside td.against{grid-area:2/2} .beside
    td.perplexity,.beside td.against{font-size:.78rem;color:var(--soft);font-weight:400} .beside .against::before{content:"result against it: "}
    .beside tr.whole .against{display:none}
    .beside td.graph{grid-column:1/-1;width:auto;padding:.1rem 0 0} .beside tr.axis{border-top:0}
    .texts tr.axis{border-top:0} .framed,.framed.tagged{grid-template-columns:3rem minmax(0,1fr)}
    .framed.tagged{grid-template-columns:3rem minmax(0,1fr) 3.2rem} dl{grid-template-columns:1fr;gap:0} dd{margin:0 0 .6rem}}
    @media print{nav,details{display:none} @page{margin:16mm 15mm} body{font-size:10.5pt} main{max-width:none;padding:0}
    section{margin-top:9mm} section:has(>figure),p.note,pre,.facts,figure,.panel,tr{break-inside:avoid}
    h2,h3,p.note{break-after:avoid} dt{break-after:avoid} dd,p{orphans:3;widows:3} .verdict{font-size:20pt}
    .facts{grid-template-columns:repeat(4,1fr);gap:4mm} .fact b{font-size:13pt} .scroll{overflow:visible}
    .texts,.beside{font-size:8pt} td.graph,th.graph{width:26%} .panels{grid-template-columns:repeat(5,1fr);gap:5mm 4mm}
    .panels.wide{grid-template-columns:repeat(2,1fr)} .columns{columns:2;column-gap:8mm} .plan table{font-size:7.5pt}
    .plan td,.plan th{padding:.12rem .3rem .12rem 0} pre{border:1px solid var(--line)} .crowded .role{font-size:8px}}
    """
}
