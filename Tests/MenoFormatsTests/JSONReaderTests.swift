import MenoFormats
import MenoTesting
import Testing

@Suite struct JSONReaderTests {
    @Test func valuesAreReadAsPythonReadsThem() throws {
        let text =
            #"{"b": [1, -2.5e3, true, null], "a": {"é": "\u541b\n\ud83d\ude00"}, "n": [NaN, Infinity, -Infinity]}"#
        let value = try JSONReader.value(of: text)
        #expect(value.object?.map(\.key) == ["b", "a", "n"])
        #expect(value["b"] == .array([.integer(1), .number(-2500), .boolean(true), .null]))
        #expect(value["a"]?["é"]?.string == "君\n😀")
        let numbers = (value["n"]?.array ?? []).map { value -> Double in
            if case .number(let number) = value { return number }
            return 0
        }
        #expect(numbers.count == 3 && numbers[0].isNaN && numbers[1] == .infinity && numbers[2] == -.infinity)
        #expect("\(value["b"] ?? .null)" == "[1, -2500.0, true, null]")
        #expect("\(value["a"] ?? .null)" == #"{"é": "君\n😀"}"#)
        #expect(try JSONReader.value(of: "12345678901234567890") == .number(1.2345678901234567e19))
    }

    @Test func valuesAreFoundByTheirPath() {
        var text = #"{"a": 1, "b": [ {"c": [0, {"d": null}]}, 7], "a": [true] }"#
        text.withUTF8 { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            let cases: [([JSONReader.PathStep], Int?)] = [
                ([], 0), ([.member("b")], 14), ([.member("b"), .element(1)], 41), ([.member("a")], 50),
                ([.member("b"), .element(0), .member("c"), .element(1), .member("d")], 32),
                ([.member("x")], nil), ([.member("b"), .element(2)], nil), ([.element(0)], nil),
                ([.member("a"), .element(0), .element(0)], nil),
            ]
            for (path, offset) in cases { #expect(JSONReader.offset(of: path, in: bytes) == offset, "\(path)") }
        }
    }

    @Test func theLastOfRepeatedKeysCountsAndIsNamed() throws {
        var text = #"{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}"#
        try text.withUTF8 { buffer in
            var reader = JSONReader(UnsafeRawBufferPointer(buffer))
            let value = try reader.value()
            #expect(value == .object([.init("a", .integer(3)), .init("b", .object([.init("c", .integer(2))]))]))
            #expect(reader.repeatedKeys == ["c", "a"])
        }
    }

    @Test(arguments: [
        ("", 0, "a value"), ("{\"a\" 1}", 5, "':'"), ("[1, 2", 5, "',' or ']', found its end"), ("{'a': 1}", 1, "'''"),
        ("[1] x", 4, "found 'x'"), ("\"a\nb\"", 2, "not closed on its line"), (#""\q""#, 1, "one of"),
        ("01", 1, "the end"),
        (#""\ud800""#, 1, "surrogate"), ("[1.]", 3, "a digit"), ("nul", 0, "'n'"), ("[1,]", 3, "']'"),
    ])
    func faultsTellWhatWasFoundAndWhere(text: String, offset: Int, words: String) {
        let fault = #expect(throws: JSONReader.Fault.self) { try JSONReader.value(of: text) }
        #expect(fault?.offset == offset && fault?.message.contains(words) == true, "\(String(describing: fault))")
    }

    @Test func nestingIsBoundedAndMutationsAreErrors() throws {
        #expect(throws: JSONReader.Fault.self) {
            try JSONReader.value(of: String(repeating: "[", count: 1_000_000))
        }
        let original = Array(#"{"a": [1, -2.5e3, "x\u541b\\", {"b": NaN, "b": true}], "c": null}"#.utf8)
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<10_000 {
            mutated(original, using: &generator).withUnsafeBytes { bytes in
                var reader = JSONReader(bytes)
                _ = try? reader.value()
            }
        }
    }
}
