import ArgumentParser
import Foundation
import Meno

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and fetches the models that have a name.", subcommands: [List.self, Fetch.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists them.")

        func run() throws {
            for model in CatalogModel.all {
                print(
                    "\(model.name)\t\(model.description)\t\(model.license)\t\(model.isFetched ? model.url.path : "not fetched")"
                )
            }
        }
    }

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Downloads one into the cache.",
            discussion: """
                Other commands offer the download where a model that they name is not there yet; with MENO_ASSUME_YES=1 they \
                download it without asking.
                """)

        @Argument(help: "A name of the list.") var name: String

        func validate() throws {
            guard CatalogModel.all.contains(where: { $0.name == name }) else {
                throw ValidationError(
                    "There is no model \"\(name)\". Names: \(CatalogModel.all.map(\.name).joined(separator: ", ")).")
            }
        }

        func run() throws {
            try reportingErrors {
                guard let model = CatalogModel.all.first(where: { $0.name == name }) else { return }
                try model.fetch()
                print(model.url.path)
            }
        }
    }
}
