import Foundation
import Meno
import MenoModels

extension CatalogModel {
    /// Asks whether to download the model, and does so.
    func offerFetch() throws {
        switch Consent.ask("\(name) is not there yet (\(description); license: \(license)). Download it now?") {
        case .yes: try fetch()
        case .no, .unasked:
            throw ModelError(
                .notFound, at: name, "is not there yet: \(description).",
                advice:
                    "Run `meno models fetch \(name)`, or set \(Consent.variable)=1 to have models downloaded when they are "
                    + "needed.")
        }
    }

    /// Downloads the model into the cache, verified by SHA-256.
    func fetch() throws {
        guard !isFetched else { return }
        guard let script = Installation.root?.appending(path: "scripts/fetch-model") else {
            throw ModelError(
                .notFound, "the checkout that holds scripts/fetch-model was not found.",
                advice: "Set MENO_ROOT to it, or run `./meno` there.")
        }
        let process = Process()
        process.executableURL = script
        process.arguments = [name]
        // Standard output is for results.
        process.standardOutput = FileHandle.standardError
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0, isFetched else {
            throw ModelError(.notFound, "\(name) could not be fetched; the reason is above.")
        }
    }
}
