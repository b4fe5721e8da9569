import Foundation
import MenoTesting
import Testing

@testable import MenoJinja

struct JinjaTemplateTests {
    private func error(
        of template: String, _ variables: [String: JinjaValue] = [:], limits: JinjaTemplate.Limits = .init()
    ) -> JinjaError? {
        do {
            _ = try JinjaTemplate(template).render(variables, limits: limits)
            return nil
        } catch { return error as? JinjaError }
    }

    /// As Python's `str.lower` has it.
    @Test func aSigmaAtTheEndOfAWordIsFinal() throws {
        let text = try JinjaTemplate("{{ s.lower() }} {{ s | lower }}").render(["s": "ΑΣ ΑΣΑ Σ Α.Σ ΑΣ'Α ΑΣ́"]).text
        #expect(text == "ας ασα σ α.ς ασ'α ας́ ας ασα σ α.ς ασ'α ας́")
    }

    // MARK: Generation blocks

    @Test func rangesOfGenerationBlocksAreBytesOfTheText() throws {
        let template = try JinjaTemplate(
            """
            {%- for m in messages %}<{{ m.role }}>
            {%- if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}
            {%- else %}{{ m.content }}{% endif %}
            {%- endfor %}
            """)
        #expect(template.hasGenerationBlocks)
        let rendering = try template.render([
            "messages": [
                ["role": "user", "content": "徳とは？"], ["role": "assistant", "content": "なぜ？"],
                ["role": "user", "content": "👍"], ["role": "assistant", "content": ""],
            ]
        ])
        #expect(rendering.text == "<user>徳とは？<assistant>なぜ？</s><user>👍<assistant></s>")
        let bytes = Array(rendering.text.utf8)
        #expect(rendering.generation.map { String(decoding: bytes[$0], as: UTF8.self) } == ["なぜ？</s>", "</s>"])
    }

    @Test func capturedGenerationBlocksAreAnErrorOnlyWhereTheirRangesAreWanted() throws {
        let template = try JinjaTemplate("{% set x %}\n{% generation %}a{% endgeneration %}{% endset %}{{ x }}")
        #expect(try template.render([:], marksGeneration: false).text == "a")
        let error = #expect(throws: JinjaError.self) { try template.render([:]) }
        #expect(error?.kind == .unsupported)
        #expect(error?.line == 2)
    }

    @Test func aBlockInsideAnotherBelongsToTheOuter() throws {
        let rendering = try JinjaTemplate(
            "{% generation %}a{% generation %}b{% endgeneration %}c{% endgeneration %}d"
        ).render([:])
        #expect(rendering.generation == [0..<3])
    }

    // MARK: What the caller gives

    @Test func dateIsTheOneGiven() throws {
        var parts = DateComponents(year: 2025, month: 3, day: 9, hour: 12)
        parts.calendar = Calendar(identifier: .gregorian)
        let date = try #require(parts.date)
        let text = try JinjaTemplate("{{ strftime_now('%d %b %Y, %H時 %%') }}").render([:], now: date).text
        #expect(text == "09 Mar 2025, 12時 %")
        #expect(error(of: "{{ strftime_now('%c' * 3000) }}")?.kind == .rendering)
    }

    @Test func variablesHideTheLanguagesOwnNames() throws {
        #expect(try JinjaTemplate("{{ range }}{{ x }}").render(["range": 1, "x": ["k": nil]]).text == "1{'k': None}")
    }

    // MARK: Errors

    @Test func errorsNameLineAndReason() {
        #expect(error(of: "a\n{{ x.y }}")?.description == "line 2: \"x\" is undefined.")
        #expect(error(of: "\n\n{% if x %}\n")?.description.hasPrefix("line 3: the template ends before") == true)
        #expect(error(of: "\n{{ x | nothing }}")?.description == "line 2: there is no filter \"nothing\".")
        #expect(error(of: "\n{{ 'a'.split(sop=1) }}")?.description == "line 2: \"split\" has no argument \"sop\".")
        let raised = error(of: "{% if true %}\n{{ raise_exception('No ' ~ 1) }}{% endif %}")
        #expect(raised == JinjaError(.raised, "No 1", line: 2))
        #expect(error(of: "{% include 'x' %}")?.kind == .unsupported)
        #expect(error(of: "{% for x in y recursive %}{% endfor %}")?.kind == .unsupported)
    }

    @Test func whatIsLeftOutOfJinja2IsNamed() {
        for name in ["filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"] {
            let error = error(of: "{{ x | \(name) }}")
            #expect(error == JinjaError(.unsupported, "the filter \"\(name)\" is not supported.", line: 1))
        }
        #expect(error(of: "{{ x is escaped }}")?.kind == .unsupported)
        #expect(error(of: "\n{{ lipsum() }}")?.description.hasPrefix("line 2: \"lipsum\" is not supported") == true)
    }

    // MARK: Hostile templates

    private static let greedy = [
        "{{ 'x' * 999999999999 }}", "{{ 'xy' * 9223372036854775807 }}", "{{ [1] * 999999999 }}",
        "{% set ns = namespace(s='0123456789') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(100) %}{% set ns.s = ns.s|replace('a', ns.s) %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(100) %}{% set ns.s = ns.s.join([ns.s, ns.s, ns.s]) %}{% endfor %}",
        "{% set ns = namespace(s=[]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}",
        "{% set ns = namespace(s=[], t=[]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}"
            + "{% endfor %}{{ ns.s == ns.t }}",
        "{% set ns = namespace(s=()) %}{% for i in range(60) %}{% set ns.s = (ns.s, ns.s) %}{% endfor %}{{ {ns.s: 1} }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% break %}{% endfor %}{% endfor %}",
        "{% set l = range(99999)|list %}{% for a in l %}{% for b in l %}{% break %}{% endfor %}{% endfor %}",
        "{% set l = range(99999)|list %}{% for a in l %}{{ -1 in l }}{% endfor %}",
        "{% set l = range(99999)|list %}{% for a in l %}{{ l|length }}{{ l|first }}{{ l[1:] is defined }}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
        "{% for a in range(99999) %}{% set x = ('%4000d' % 1) %}{% endfor %}", "{{ '%99999999d' % 1 }}",
        "{{ '%.999999999f' % 1 }}", "{{ 'a'.center(999999999999) }}", "{{ 'a'.zfill(9223372036854775807) }}",
        "{{ 'a\nb'|indent(99999999999) }}",
        "{{ [1]|batch(99999999999, 0)|list }}", "{{ [1]|slice(99999999999)|list }}", "{{ 'a'|center(99999999999) }}",
        "{{ 'a\t'.expandtabs(99999999999) }}", "{{ range(99999)|groupby(none)|groupby('x')|list }}",
        "{% set l = range(99999)|list %}{% for a in l %}{{ l|batch(2)|list }}{{ l|slice(2)|list }}{% endfor %}",
        "{% set c = namespace(x=cycler(1)) %}{% for i in range(99) %}{% set c.x = cycler(c.x) %}{% endfor %}",
        "{% set c = namespace(x=joiner('')) %}{% for i in range(99) %}{% set c.x = joiner(c.x) %}{% endfor %}",
        "{{ [[1]]|tojson(indent=99999999999) }}",
        "{{ range(9223372036854775807) }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() ~ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "{{ 2 ** 63 }}", "{{ -9223372036854775808 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ (-9223372036854775807 - 1) % -1 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ (-9223372036854775807 - 1)|abs }}", "{{ 1e308|int }}", "{{ 10.0 ** 999 }}", "{{ 1e308|round(-2)|int }}",
        "{{ '%*d' % (-9223372036854775807 - 1, 1) }}", "{{ '%*d' % (-9223372036854775807 - 1, 1) }}",
    ]

    @Test(arguments: greedy) func greedyTemplatesEndInAnError(_ template: String) {
        let start = ContinuousClock.now
        #expect(error(of: template, limits: .init(output: 1 << 20, bytes: 64 << 20, steps: 500_000)) != nil)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    /// Some platforms give threads stacks of 512 KiB. Optimised frames are less than half the size of those of a debug
    /// build, for which the stack here is chosen.
    @Test func nestingFitsASmallStack() throws {
        func nested(_ opening: String, _ middle: String, _ closing: String, _ count: Int) -> String {
            String(repeating: opening, count: count) + middle + String(repeating: closing, count: count)
        }
        var templates: [String] = []
        for count in [8, 20, 28, 31, 40, 90, 95, 120, 300, 5_000] {
            for (opening, middle, closing) in [
                ("(", "1", ")"), ("[", "1", "]"), ("{'a': ", "1", "}"), ("not ", "1", ""), ("-", "1", ""),
                ("x[", "1", "]"),
                ("x(", "1", ")"), ("1 if 1 else ", "1", ""), ("1|default(", "1", ")"), ("1 + ", "1", ""),
                ("1 or ", "0", ""),
                ("", "1", "|string"), ("", "1", " is defined"), ("", "d", ".d"), ("1 ** ", "1", ""), ("1 ~ ", "1", ""),
                ("1 < ", "1", ""), ("", "d", "['d']"), ("dict(a=", "1", ")"), ("[1 if [1] else ", "2", "]"),
            ] {
                templates.append("{{ \(nested(opening, middle, closing, count)) }}")
            }
            templates.append(nested("{% if 1 %}", "x", "{% endif %}", count))
            templates.append(nested("{% for x in [1] %}", "x", "{% endfor %}", count))
            templates.append(nested("{% with %}", "x", "{% endwith %}", count))
            templates.append(nested("{% set x %}", "x", "{% endset %}", count))
            templates.append(nested("{% macro m() %}", "x", "{% endmacro %}", count))
            templates.append("{% set " + nested("(", "x", ",)", count) + " = 1 %}")
            templates.append("{% if 0 %}" + nested("{% elif 0 %}", "", "", count) + "{% endif %}")
            templates.append(
                "{% set ns = namespace(x=1) %}{% for i in range(\(count)) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"
            )
            templates.append(
                "{% set ns = namespace(x=1) %}{% for i in range(\(count)) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}{{ ns.x }}"
            )
            templates.append(
                "{% set ns = namespace(x=1) %}{% for i in range(\(count)) %}{% set ns.x = [ns.x]|map('string') %}{% endfor %}{{ ns.x }}"
            )
            templates.append(
                "{% macro m(n) %}{% if n > 0 %}{% for x in [n] %}{{ [m(n - 1)|trim][0] }}{% endfor %}{% endif %}{% endmacro %}"
                    + "{{ m(\(count)) }}")
        }
        let all = templates
        let isDone = DispatchSemaphore(value: 0)
        let thread = Thread {
            var value: JinjaValue = 1
            for _ in 0..<60 { value = ["d": value] }
            for template in all { _ = try? JinjaTemplate(template).render(["d": value]) }
            isDone.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
        #expect(isDone.wait(timeout: .now() + 60) == .success)
    }

    @Test func usualNestingIsNotRefused() throws {
        let macro =
            "{% macro m(n) %}{% if n > 0 %}{% for x in [n] %}{{ '[' ~ m(n - 1) ~ ']' }}{% endfor %}{% endif %}{% endmacro %}"
        #expect(try JinjaTemplate(macro + "{{ m(16)|length }}").render([:]).text == "32")
        let sum = Array(repeating: "'x'", count: 64).joined(separator: " + ")
        #expect(try JinjaTemplate("{{ (\(sum))|length }}").render([:]).text == "64")
    }

    // MARK: Mutations

    /// Each of 10,000 damaged templates is rendered or refused; that this ends is the test.
    @Test func mutatedTemplatesNeverCrash() throws {
        let reference = try JinjaReference.read()
        let sources = try Array(JinjaReference.templates().values).sorted() + reference.snippets.compactMap(\.template)
        let conversations = reference.conversations.values.map { $0.merging(reference.common) { first, _ in first } }
        let pieces = sources.flatMap { $0.split(separator: "%}") }.map { Array($0.utf8) }
        var generator = SeededGenerator(seed: 7)
        var rendered = 0
        for round in 0..<10_000 {
            // A chat template every tenth round: they are long.
            let chosen = round % 10 == 0 ? sources[..<12] : sources[12...]
            var bytes = Array(chosen.randomElement(using: &generator)!.utf8)
            if round % 3 == 0 {
                let place = Int.random(in: 0...bytes.count, using: &generator)
                bytes.insert(contentsOf: pieces.randomElement(using: &generator)! + Array("%}".utf8), at: place)
            }
            if round % 3 != 1 { bytes = mutated(bytes, using: &generator) }
            if round % 3 == 1, let tag = bytes.indices.randomElement(using: &generator) {
                bytes[tag] = Array("{}%#|.()[]'\"-+*/~=<>, \n019aenx".utf8).randomElement(using: &generator)!
            }
            do {
                let template = try JinjaTemplate(String(decoding: bytes, as: UTF8.self))
                let rendering = try template.render(
                    conversations[round % conversations.count],
                    limits: .init(output: 1 << 18, bytes: 1 << 22, steps: 20_000))
                let end = rendering.text.utf8.count
                #expect(rendering.generation.allSatisfy { !$0.isEmpty && $0.upperBound <= end })
                rendered += 1
            } catch let error as JinjaError {
                #expect(error.line != nil, "\(error)")
            }
        }
        // Enough must run for their running to be tested.
        #expect(rendered > 1_000, "\(rendered)")
    }
}
