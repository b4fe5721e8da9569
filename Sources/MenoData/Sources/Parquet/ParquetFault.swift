/// What is wrong with a Parquet file.
struct ParquetFault: Error {
    var message: String

    init(_ message: String) { self.message = message }

    static let cut = ParquetFault("data end too early")
}
