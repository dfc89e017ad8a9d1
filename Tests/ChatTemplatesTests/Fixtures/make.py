#!/usr/bin/env python3
"""Writes templates.json: small templates with what transformers' environment of Jinja makes of them, null for an error.

    make.py > templates.json      with an interpreter that has transformers 5
"""
import json
from transformers.utils.chat_template_utils import _alias_reasoning_fields, _cached_compile_jinja_template

CHAT = [{"role": "system", "content": " Be kind.\n"}, {"role": "user", "content": "Où est-il? 'now'"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHere."}, {"role": "user", "content": "\n"}]
# Between lines of three signs of equality.
TEMPLATES = r"""
{% for m in messages %}{{ m.role }}|{{ m['content']|trim }}|{% endfor %}
===
{%- for m in messages -%}  {{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.length }}  {%- endfor -%}
===
{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }} {{ loop.previtem.role if loop.previtem is defined else '-' }} {% else %}none{% endfor %}
===
{% for m in [] %}x{% else %}none{% endfor %}
===
{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}{% for k in messages[0] %}{{ k }}{% endfor %}
===
{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}
===
{% for i in range(3) %}{% for j in range(i) %}{{ loop.index }}{% endfor %},{% endfor %}
===
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
===
{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
===
{% set ns = namespace(n=0, found=false) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% set ns.found = true %}{% endfor %}{{ ns.n }}{{ ns.found }}
===
{% set a, b = 1, 'two' %}{{ a }}{{ b }}
===
{% set t %}  in
 side {% endset %}[{{ t }}]
===
{% macro f(a, b='B', c=none) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ f(1) }}{{ f('x', c=3) }}{{ f(a=2, b=4) }}
===
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
===
{% set y = 5 %}{% macro g() %}{{ y }}{% endmacro %}{{ g() }}{% set y = 6 %}{{ g() }}
===
{% if messages[0].role == 'system' and messages|length > 2 %}a{% elif true %}b{% else %}c{% endif %}
===
{% if not undefinedthing %}u{% endif %}{% if undefinedthing is defined %}d{% endif %}{{ undefinedthing }}{{ messages[0].nothing }}
===
{{ undefinedthing.member }}
===
{{ undefinedthing + 'a' }}
===
{{ 'a' if false }}|{{ 'a' if true else 'b' }}|{{ 1 if 0 else 2 if 0 else 3 }}
===
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 1.5 + 2 }} {{ -3 }} {{ 2 * -3 }}
===
{{ 'a' ~ 1 ~ none ~ true ~ 1.0 }} {{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ [1] + [2, 'x'] }}
===
{{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ 1 < 2 < 3 }} {{ 1 != 2 }} {{ 3 >= 3 }} {{ true == 1 }} {{ none == none }} {{ [1, 2] == [1, 2] }}
===
{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ 2 in [1, 2] }} {{ 'role' in messages[0] }} {{ not 'x' in 'cat' }}
===
{{ 1 and 2 }} {{ 0 or 'x' }} {{ none or [] }} {{ '' and 1 }} {{ not true }}
===
{{ messages[-1].role }} {{ messages[1:]|length }} {{ messages[::-1][0].role }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[::2] }} {{ 'abc'[-1] }} {{ 'abcdef'[4:1:-1] }} {{ [1,2,3][5:] }}
===
{{ [1, 'a', none, true, 1.5, {'k': 'v'}] }} {{ {'a': [1], 'b': "it's"} }} {{ "q\"uote" }} {{ ['it"s', "it's"] }}
===
{{ '\n\t\\ \x41 \u00e9 \' \q' }}
===
{{ "two" ' parts' }}
===
{{ (1, 2) | list }} {{ (1) }} {{ () | length }}
===
{{ messages | tojson }}
===
{{ {'b': 1, 'a': [true, none, 1.5, "é\n\"<&"]} | tojson(indent=2) }}
===
{{ {'b': 1, 'a': {}} | tojson(sort_keys=true) }} {{ [] | tojson(indent=4) }}
===
{{ '  x y ' | trim }}|{{ 'xxayx' | trim('x') }}|{{ 'Hello wORLD-foo' | title }}|{{ 'hELLO' | capitalize }}|{{ 'aB' | upper }}|{{ 'aB' | lower }}
===
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ [3, 1, 2] | sort(reverse=true) }} {{ messages | sort(attribute='role') | map(attribute='role') | list }}
===
{{ messages | map(attribute='role') | join(', ') }} {{ ['a', 'b'] | map('upper') | list }} {{ [1, 2, 3] | join }} {{ messages | join('+', attribute='role') }}
===
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | list }} {{ [0, 1, '', 'a'] | select | list }} {{ [1, 2, 3, 4] | reject('even') | list }} {{ [1,2,3] | select('gt', 1) | list }}
===
{{ none | selectattr('a') | list }}{{ undefinedthing | map('upper') | list }}
===
{{ [1, 2] | first }} {{ [1, 2] | last }} {{ 'abc' | first }} {{ [] | first }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }} {{ [1, 1, 2] | unique | list }} {{ [1, 5, 2] | max }} {{ [1, 5, 2] | min }} {{ [1, 5] | sum }}
===
{{ undefinedthing | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ none | default('d', boolean=true) }} {{ 0 | d(3) }}
===
{{ 'a-b-a' | replace('a', 'c') }} {{ 'a-b-a' | replace('a', 'c', 1) }} {{ 'x\ny\n\nz' | indent(2) }} {{ 'x\ny' | indent(2, true) }}
===
{{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '1.5' | float }} {{ 2.5 | round }} {{ -3 | abs }} {{ 5 | string + 'a' }}
===
{% for k, v in {'b': 2, 'a': 1} | items %}{{ k }}{{ v }}{% endfor %} {% for k, v in {'b': 2, 'a': 1} | dictsort %}{{ k }}{{ v }}{% endfor %} {{ {'a': 1} | length }}
===
{{ ' a b '.strip() }}|{{ 'xxaxx'.lstrip('x') }}|{{ 'xxaxx'.rstrip('x') }}|{{ 'a,b,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ ' a  b '.split() }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ 'a b c'.split(' ')[-1] }}
===
{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.upper() }}{{ 'aXbX'.replace('X', '-') }}{{ 'hello world'.title() }}{{ ','.join(['a', 'b']) }}{{ 'abcabc'.find('c') }}{{ 'abc'.find('z') }}{{ 'aab'.count('a') }}
===
{{ messages[2].content.split('</think>')[-1].lstrip('\n') }}
===
{{ messages[0].get('role') }} {{ messages[0].get('x', 'no') }} {{ messages[0].get('x') }} {{ messages[0].keys() | list }} {{ messages[0].values() | list | length }}
===
{{ 'a' is string }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ true is boolean }} {{ none is none }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ x is undefined }} {{ 1 is not string }} {{ true is true }} {{ 1 is true }} {{ 2 is eq 2 }} {{ 'a' is in 'abc' }} {{ 1 is sameas 1 }}
===
{{ messages[0].content is string and messages[0].content is not none }}
===
{{ true is number }} {{ true + 1 }} {{ 'ä' | length }} {{ 'é🙂' | length }} {{ 'é🙂'[1] }}
===
  {% if true %}
    lead
  {% endif %}
tail
===
a {%- if true %} b {%+ if true %} c {%- endif -%} d {% endif +%}
e
===
a {#- gone -#} b{# kept #}
c
===
  {# whole line #}
x
===
{{ 'a' -}}
   b {{- ' c' }}
===
{% raw %}{{ not }} {% this %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}|
===
{% generation %}{{ messages[2].content }}{% endgeneration %}
===
{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}{% endfor %}
===
{{ raise_exception('never') }}
===
{{ strftime_now('%Y') if strftime_now is defined else 'no date' }}
===
{{ tools is none }} {{ documents is defined and documents }} {{ add_generation_prompt }}
===
{{ 1 // 0 }}
===
{{ 'a' < 1 }}
===
{{ dict(a=1, b='x') }} {{ range(5, 0, -2) | list }} {{ range(2, 4) | list }}
===
{% set x = {'a': {'b': [10, 20]}} %}{{ x.a.b[1] }} {{ x['a']['b'] }} {{ x.a.b.0 }}
===
{%- set ns = namespace(l=[]) -%}{%- for m in messages -%}{%- set ns.l = ns.l + [m.role] -%}{%- endfor -%}{{ ns.l }}
===
{{ -2 | abs }} {{ (1, 2, 3)[1] }} {{ not 1 == 2 }} {{ 1 if 1 is odd and 2 is even else 2 }}
===
{{ messages[3].content | trim | length == 0 }} {{ 'x' ~ messages[3].content | trim ~ 'y' }}
===
{{ '<{}|{}>'.format(1, 'a') }} {{ '{1}{0}{{x}}'.format(1, 2) }} {{ '{n}'.format(n=none) }}
"""

rows = []
for template in TEMPLATES.strip("\n").split("\n===\n"):
    try:
        environment = _cached_compile_jinja_template(template).environment
        environment.globals.pop("strftime_now", None)
        text = environment.from_string(template).render(messages=_alias_reasoning_fields(CHAT), tools=None,
            documents=None, add_generation_prompt=False, bos_token="<s>")
    except Exception:
        text = None
    rows.append({"template": template, "text": text})
print(json.dumps({"messages": CHAT, "templates": rows}, ensure_ascii=False, indent=1))
