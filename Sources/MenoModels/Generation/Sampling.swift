internal import MenoTensor

/// How the next token is drawn from its distribution.
public struct Sampling: Sendable, Hashable {
    /// Divides the logits; 0 always takes the most probable token (greedy).
    public var temperature: Double
    /// Draws only from this many of the most probable tokens; `nil`: from all.
    public var topK: Int?
    /// Draws only from the smallest set of tokens whose total probability reaches this; `nil`: from all.
    public var topP: Double?
    /// The seed of the draws; `nil` keeps the state of the random generator.
    public var seed: UInt64?

    /// Always takes the most probable token.
    public static let greedy = Sampling(temperature: 0)

    /// - Parameters: as the properties.
    public init(temperature: Double, topK: Int? = nil, topP: Double? = nil, seed: UInt64? = nil) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.seed = seed
    }

    /// Checks the values.
    public func validated() throws -> Sampling {
        guard temperature >= 0, temperature.isFinite else {
            throw ModelError(.mismatch, "temperature is \(temperature); expected 0 or more.")
        }
        if let topK, topK < 1 { throw ModelError(.mismatch, "top-k is \(topK); expected 1 or more.") }
        if let topP, !(topP > 0 && topP <= 1) {
            throw ModelError(.mismatch, "top-p is \(topP); expected above 0 and at most 1.")
        }
        return self
    }

    /// - Parameter logits: `[vocabulary]` in float32.
    func draw(_ logits: Tensor) throws -> Int32 {
        guard temperature > 0 else { return Int32(try logits.argmax(along: -1).item()) }
        var logits = try logits / temperature
        var tokens: Tensor?
        if let topK, topK < logits.count {
            let top = try logits.topK(topK)
            (logits, tokens) = (top.values, top.indices)
        }
        var probabilities = try logits.softmax(along: -1)
        if let topP, topP < 1 {
            let sorted = try probabilities.sortedDescending()
            // Keep a token while the ones before it have not reached the mass; the first always stays.
            let before = try sorted.values.cumulativeSum(along: -1) - sorted.values
            probabilities = try sorted.values.masked(by: before.isLess(than: topP).logicalNot(), with: 0)
            tokens = try tokens.map { try $0.gathered(along: -1, at: sorted.indices) } ?? sorted.indices
        }
        let index = Int(try probabilities.multinomial().item())
        guard let tokens else { return Int32(index) }
        return Int32(try tokens.selected(index, along: 0).item())
    }
}
