using System.Text;
using Platform.Worker.Engines.Templates;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines;

/// <summary>One message of a chat.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">Its text.</param>
internal sealed record ChatMessage(string Role, string Content);

/// <summary>How the messages of a chat become one prompt.</summary>
/// <remarks>The model's own from <c>tokenizer_config.json</c>, where it has one that is interpreted here. Otherwise chosen by the special tokens that the tokenizer knows: ChatML (Qwen and many others), Llama 3,
/// or, for a model without any turn tokens such as the demo model, <see cref="Plain"/>: the contents one after the other with a line break between, which the model continues.</remarks>
internal abstract class ChatTemplate
{
    /// <summary>For models that only continue text.</summary>
    public static ChatTemplate Plain { get; } = new PlainTemplate();

    /// <summary>The template's name.</summary>
    public abstract string Name { get; }

    /// <summary>Tokens that end the assistant's turn, beside the model's own end tokens.</summary>
    public virtual IReadOnlyList<int> EndTokens(Tokenizer tokenizer) => [];

    /// <summary>The template for a model's tokenizer.</summary>
    public static ChatTemplate For(Tokenizer tokenizer) =>
        tokenizer.IsSpecial("<|start_header_id|>") && tokenizer.IsSpecial("<|eot_id|>") ? new Llama3Template()
        : tokenizer.IsSpecial("<|im_start|>") && tokenizer.IsSpecial("<|im_end|>") ? new ChatMlTemplate()
        : Plain;

    /// <summary>The model's own template, else the one for its tokenizer.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="tokenizerConfigJson">Content of <c>tokenizer_config.json</c>; null if the model has none.</param>
    /// <param name="reason">Why the model's own template is not used, if it has one.</param>
    public static ChatTemplate For(Tokenizer tokenizer, ReadOnlyMemory<byte>? tokenizerConfigJson, out string? reason)
    {
        reason = null;
        return tokenizerConfigJson is { } json && FileChatTemplate.TryRead(json, tokenizer, out reason) is { } template ? template : For(tokenizer);
    }

    /// <summary>The prompt that asks for the assistant's next turn.</summary>
    public abstract string Render(IEnumerable<ChatMessage> messages);

    private sealed class PlainTemplate : ChatTemplate
    {
        public override string Name => "plain";

        public override string Render(IEnumerable<ChatMessage> messages) => string.Join('\n', messages.Select(message => message.Content));
    }

    private sealed class ChatMlTemplate : ChatTemplate
    {
        public override string Name => "chatml";

        public override IReadOnlyList<int> EndTokens(Tokenizer tokenizer) => [tokenizer.IdOf("<|im_end|>")!.Value];

        public override string Render(IEnumerable<ChatMessage> messages)
        {
            var text = new StringBuilder();
            foreach (var message in messages)
            {
                text.Append("<|im_start|>").Append(message.Role).Append('\n').Append(message.Content).Append("<|im_end|>\n");
            }

            return text.Append("<|im_start|>assistant\n").ToString();
        }
    }

    private sealed class Llama3Template : ChatTemplate
    {
        public override string Name => "llama3";

        public override IReadOnlyList<int> EndTokens(Tokenizer tokenizer) => [tokenizer.IdOf("<|eot_id|>")!.Value];

        public override string Render(IEnumerable<ChatMessage> messages)
        {
            var text = new StringBuilder();
            foreach (var message in messages)
            {
                text.Append("<|start_header_id|>").Append(message.Role).Append("<|end_header_id|>\n\n").Append(message.Content.Trim()).Append("<|eot_id|>");
            }

            return text.Append("<|start_header_id|>assistant<|end_header_id|>\n\n").ToString();
        }
    }
}
