"""Renders each filter, test, method and operator of jinja2 with values of each kind, as transformers sets jinja2 up.

Writes fixtures/jinja/matrix.json: {"values": {name: value}, "rows": {template: [output, …]}}, outputs in the order of the values and one
more for a value that is undefined; `null` is an error, `false` a text that differs from run to run.
"""

import copy
import json
import pathlib

from make_jinja import run

HERE = pathlib.Path(__file__).parent / "fixtures" / "jinja"

# What a filter, test, method or operator makes of each kind of value. Chat templates meet `none`, 0 and false wherever a
# record leaves something out.
MATRIX_VALUES = {
    "none": None,
    "zero": 0,
    "no": False,
    "yes": True,
    "one": 1,
    "minus": -3,
    "zero_float": 0.0,
    "float": 2.5,
    "blank": "",
    "text": "a <B> 12",
    "digits": " 12 ",
    "empty": [],
    "items": [3, 1, 2],
    "mixed": [None, 0, False, 1.5, "", "x"],
    "words": ["b", "A", "a"],
    "nothing": {},
    "pairs": {"b": 1, "a": None},
    "rows": [{"k": "x", "n": 1}, {"k": None, "n": 0}, {"k": "X", "n": False}, {"n": 2.5}],
}

FILTERS = """
abs attr('k') attr('upper') attr(none) attr(0)
batch(2)|list batch(2,none)|list batch(2,0)|list batch(2,'-')|list batch(none)|list batch(0)|list
capitalize center center(7) center(none) count d d('x') d('x',true) d('x',false) d(none,true) d(0,true) d(boolean=true) default('x',none)
dictsort dictsort(by='value') dictsort(true,'key',true) e escape forceescape
first float float('x') float(none) float(0) float(default=false) format format(1) format(none) format(none,0)
groupby('k')|list groupby('k',default='')|list groupby('n')|list groupby('n',case_sensitive=true)|list groupby(0)|list groupby('k',case_sensitive=true,default='x')|list
indent indent(2,true) indent(none) indent(0) indent('>',true,true) indent(width=2,first=none)
int int('x') int(none) int(0) int(1,16) int(default=false) int(base=0) int(base=none)
items|list join join(',') join(none) join(0) join('-','k') join('-',none) join(attribute='n') join(d=false)
last length list lower
map('string')|list map(attribute='k')|list map(attribute='k',default=none)|list map(attribute='k',default=0)|list map('int')|list map('default','x',true)|list map('upper')|list map(attribute=none)|list map(attribute=0)|list map()|list map('nothing')|list map(none)|list map('trim')|join(',')
max max(true) max(attribute='n') min min(case_sensitive=true) min(attribute='n')
reject|list reject('none')|list reject('equalto',0)|list rejectattr('k')|list rejectattr('k','none')|list rejectattr('n','equalto',0)|list rejectattr()|list
replace('1','2') replace(none,'x') replace('a',none) replace('a',0) replace(0,'x') replace('','-') replace('a','x',none) replace('a','x',0) replace('2','x',1) replace('None','') replace('a','x',count=-1)
reverse reverse|list round round(1) round(none) round(0,'ceil') round(0,'floor') round(-1) round(1,none) round(method='common') round(true)
safe select|list select('none')|list select('defined')|list select('nothing')|list select('string')|list select('equalto',false)|list select(none)|list select('in',[0,none])|list
selectattr('k')|list selectattr('k','defined')|list selectattr('n','equalto',0)|list selectattr(none)|list selectattr()|list selectattr('k','eq','x')|map(attribute='n')|list
slice(2)|list slice(2,'-')|list slice(3,none)|list slice(none)|list slice(0)|list
sort sort(true) sort(case_sensitive=true) sort(attribute='n') sort(attribute='k') sort(attribute=none) sort(reverse=none)
string sum sum('n') sum(attribute='n',start=1) sum(start=none) sum(none,1.5) sum('n',0.0)
title tojson tojson(indent=2) tojson(indent=none) tojson(indent=0) tojson(none) tojson(ensure_ascii=true) tojson(separators=(',',':')) tojson(sort_keys=true) tojson(separators=none) tojson(sort_keys=none) tojson(indent=false)
trim trim(none) trim('1') trim('') trim(0) trim(chars='N')
truncate truncate(3) truncate(5,true) truncate(5,true,'~') truncate(5,false,'~',0) truncate(4,leeway=none) truncate(none)
truncate(length=4,killwords=true,end='') unique|list unique(true)|list unique(attribute='k')|list upper urlencode wordcount
""".split()

TESTS = """
boolean callable defined divisibleby(2) divisibleby(0) divisibleby(none) eq(0) eq(none) eq(false) equalto('') even false filter float
ge(0) ge(none) gt(0) gt('') in([0,none]) in('x') in(none) in(0) in({}) in(()) integer iterable le(1) lower lt(1) lt(none) mapping ne(none) ne(0)
none number odd sameas(none) sameas(false) sameas(0) sameas(1) sameas(true) sameas('') sequence string test true undefined upper
""".split()

METHODS = """
strip() strip(none) strip('1') strip(0) lstrip() rstrip(none) split() split(none) split(none,1) split('a') split('1',1) split('') split(0) rsplit(none,1) split(sep=none,maxsplit=1) split('1',none)
upper() lower() title() capitalize() swapcase() casefold() startswith('a') startswith(('a','b')) startswith(none) startswith(0) endswith('2') endswith('') startswith('a',none) startswith('a',0,none)
find('1') find('1',none) find('1',0,none) find(none) rfind('1') index('a') count('a') count(1) count(none) count(false) count(0) replace('a','b') replace('a','b',0) replace('a',none) replace('a','b',none)
join(['x','y']) join([]) join([none]) join(none) join('ab') zfill(5) zfill(none) ljust(5) rjust(5,'-') center(9) center(9,none) ljust(none) removeprefix('a') removesuffix('2') removeprefix(none)
partition('1') partition(none) rpartition('a') splitlines() splitlines(true) splitlines(none) expandtabs() isdigit() isalpha() isspace() islower() isupper() isalnum() istitle() isidentifier() isprintable() format_map({'a':0}) expandtabs(2) expandtabs(none)
format(1) format(none) format(a=none) items()|list keys()|list values()|list get('a') get('a',0) get('z') get('z',0) get('z',none) get(none) get(0) get() copy() index(1) index(false)
""".split()

OPERATORS = """
not(v) v+1 v+'x' 1+v 'x'+v v+v v-1 v*2 2*v v*v v/2 v//2 v%2 2**v v**2 -v +v v~1 v~none none~v v==0 v==none v==false v==1 v==2.5 v!=none v<1 v<=1 v>0 v>=0 v<none v>'a' 1<v 0<=v<3
v_in_[0,none] v_not_in_[0,none] none_in_v 0_in_v false_in_v 'a'_in_v 1_in_v v_in_'a' v_in_{} v_in_{0:1} v_in_none v_and_1 v_or_1 v_or_none v_if_v_else_none 1_if_v
v[0] v[-1] v['a'] v[none] v[false] v[true] v[0.0] v[1:] v[:none] v[none:] v[:0] v[::-1] v[:-1] v.a v.a.b v['k']['z'] v() v.upper v[missing]
[v] (v,) {'x':v} {v:1} [v][0] {'x':v}.x {'x':v}['x']|string dict(x=v).x dict(v) range(v)|list range(0,v)|list namespace(x=v).x [v]|tojson {'x':v}|tojson [v]|join {'x':v}|string
'%s'%v '%d'%v '%i'%v '%f'%v '%.2f'%v '%r'%v '%5s|'%v '%x'%v '%s'%(v,) '%c'%v '{}'.format(v) '{0!r}'.format(v) 'x'.join(v) 'abc'[v] 'abc'[:v] [1,2][v] ['x']*v
[v]|first [v,v]|unique|list [v,1]|sort [v,1]|max [v]|sum [v]|map('string')|join {'k':v}|dictsort [v,none]|select|list [{'k':v}]|map(attribute='k')|list [{'k':v}]|selectattr('k')|list
[{'k':v},{'k':v}]|groupby('k')|list cycler(v,1).next() cycler(v,1).current joiner(v)() v_is_in_[v] v_is_not_none v_is_defined_and_v 'a'|default(v) missing|default(v) ''|default(v,true) x|d(v)
'a,b'|replace(',',v) 'b'|indent(v,true) '12'|int(v) 'x'|int(v) 'x'|float(v) [3,4]|join(v) [3,4]|batch(2,v)|list 'x'|center(v) 2.345|round(v) [3,4]|sum(start=v) missing[v] missing.x
""".split()

STATEMENTS = [
    "{% for x in v %}[{{ x }}]{% else %}none{% endfor %}",
    "{% for x in v if x %}[{{ x }}]{% endfor %}",
    "{% for x in v %}{{ loop.index }}/{{ loop.length }} {% endfor %}",
    "{% for a, b in v %}{{ a }}={{ b }}{% endfor %}",
    "{% for k, x in v.items() %}{{ k }}={{ x }}{% endfor %}",
    "{% for k, x in v | items %}{{ k }}={{ x }}{% endfor %}",
    "{% if v %}y{% else %}n{% endif %}",
    "{% if v is not none and v | length > 0 %}y{% endif %}",
    "{% set a, b = v %}{{ a }}",
    "{% set ns = namespace(v=v) %}{% set ns.v = ns.v or 'else' %}{{ ns.v }}",
    "{% macro m(a, b=v) %}{{ a }}{{ b }}{% endmacro %}{{ m(v) }}{{ m(a=v, b=none) }}",
    "{% set x %}{{ v }}{% endset %}[{{ x }}]",
    "{% filter upper %}{{ v }}{% endfilter %}",
    "{% for x in [v, v, 1] %}{{ loop.changed(x) }}{{ loop.cycle(v, 1) }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{% set c = cycler('a', v) %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}",
    "{% set j = joiner() %}{% for x in [v, v] %}{{ j() }}{{ x }}{% endfor %}",
    "{% set x = namespace(i=0) %}{% for m in v | selectattr('k', 'equalto', 'x') %}{{ m.n }}{% endfor %}",
    "{% for g in v | groupby('n') %}{{ g.grouper }}:{{ g.list | length }}:{{ g[0] }} {% endfor %}",
    "{% for row in v | batch(2, 'z') %}{{ row | join('+') }};{% endfor %}",
    "{% for row in v | slice(2) %}{{ row | length }};{% endfor %}",
    "{{ raise_exception(v) }}",
    "{{ strftime_now(v) }}",
]


def matrix_templates():
    for name in FILTERS:
        yield "{{ v | %s }}" % name
    for name in TESTS:
        yield "{{ v is %s }}" % name
    for name in METHODS:
        yield "{{ v.%s }}" % name
    for text in OPERATORS:
        yield "{{ %s }}" % text.replace("_", " ")
    yield from STATEMENTS


def output(template, variables):
    # A copy: `indent` adds a newline to the list that it fails on.
    text = run(template, template, copy.deepcopy(variables)).get("output")
    changes = text is not None and (" at 0x" in text or "<generator" in text)
    return False if changes else text


def main():
    cases = [{"v": value} for value in MATRIX_VALUES.values()] + [{}]
    rows = {template: [output(template, case) for case in cases] for template in matrix_templates()}
    lines = (f"{json.dumps(template)}: {json.dumps(outputs, ensure_ascii=False)}" for template, outputs in rows.items())
    values = json.dumps(MATRIX_VALUES, ensure_ascii=False)
    (HERE / "matrix.json").write_text('{"values": %s,\n"rows": {\n%s\n}}\n' % (values, ",\n".join(lines)), "utf-8")
    outputs = [text for row in rows.values() for text in row]
    print(len(rows), "templates,", len(outputs), "results,", outputs.count(None), "errors")


if __name__ == "__main__":
    main()
