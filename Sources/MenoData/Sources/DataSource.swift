/// A source of records: `data.path`, or an entry of `data.sources`.
public struct DataSource: Sendable, Hashable {
    /// Files, folders and patterns such as `data/*.jsonl`, read in this order.
    public var paths: [String]
    /// Its share of the records that are drawn, beside the weights of other sources; `nil`: no weight is given.
    public var weight: Double?
    /// At most so many of its records are read, from its beginning.
    public var maxSamples: Int?
    /// The shape of its records.
    public var format: RecordFormat
    /// Of a folder whose files are named by splits (`train-00000.parquet`, `test.jsonl`), the one that is read; `nil`: `train`
    /// where there is one.
    public var split: String?
    /// Whether evaluations use it: of a folder with splits, `validation` or `test` is read where ``split`` names none.
    package var isForEvaluation = false

    /// - Parameters: as the properties.
    public init(
        _ paths: [String], weight: Double? = nil, maxSamples: Int? = nil, format: RecordFormat = .auto,
        split: String? = nil
    ) {
        self.paths = paths
        self.weight = weight
        self.maxSamples = maxSamples
        self.format = format
        self.split = split
    }
}
