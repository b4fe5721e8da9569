import Foundation
import MenoFormats
import Testing

@Suite struct JSONFoundationTests {
    /// What Python takes for a floating-point number stays one.
    @Test func numbersStayOfTheirKind() throws {
        let text = """
            {
              "a": 7.0,
              "b": 7,
              "c": true,
              "d": [
                1,
                2.5,
                null,
                "x\\n"
              ],
              "e": {},
              "f": 1e-05
            }
            """
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        #expect(JSONValue(foundation: object).indented == text)
        let own: [String: Any] = ["f": Float(2), "i": Int32(3), "n": NSNull(), "yes": [true, false]]
        #expect(
            JSONValue(foundation: own).description == #"{"f": 2.0, "i": 3, "n": null, "yes": [true, false]}"#)
    }
}
