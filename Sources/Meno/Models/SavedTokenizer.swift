internal import Foundation
internal import MenoTokenizers

/// The tokenizer and the chat template that lie beside an adapter, as Meno, TRL and PEFT save them.
struct SavedTokenizer {
    let tokenizer: Tokenizer
    /// Where `tokenizer.json` lies; `nil`: the model's own is used.
    let url: URL?
    /// The template in Jinja; `nil`: there is none beside the adapter.
    let template: String?
    /// Why the adapter's tokenizer is not used, though there is one.
    let fault: String?

    init(beside adapter: URL, base: Tokenizer) {
        let hasFile = { (name: String) in
            FileManager.default.fileExists(atPath: adapter.appending(path: name).path)
        }
        let file = adapter.appending(path: TokenizerFiles.templateName)
        let text = try? String(contentsOf: file, encoding: .utf8)
        guard hasFile("tokenizer.json") else {
            tokenizer = base.saved(besideAdapterOf: base, template: text)
            (url, template, fault) = (nil, text, nil)
            return
        }
        do {
            let own = try Tokenizer.load(adapter)
            template = text ?? own.chatTemplateSource
            tokenizer = own.saved(besideAdapterOf: base, template: template ?? base.chatTemplateSource)
            (url, fault) = (adapter, nil)
        } catch {
            tokenizer = base.saved(besideAdapterOf: base, template: text)
            (url, template, fault) = (nil, text, "\(error)")
        }
    }
}
