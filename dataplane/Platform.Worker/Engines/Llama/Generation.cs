using System.Threading.Channels;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines.Llama;

/// <summary>One text on its way through the engine. All members but <see cref="Cancel"/> and <see cref="Output"/> belong to the engine's thread.</summary>
internal sealed class Generation
{
    private readonly GenerationRequest _request;
    private readonly List<int> _tokens;
    private readonly int _limit;
    private readonly TextStream _text;
    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly Sampler _sampler;
    private readonly Channel<GeneratedToken> _output = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private volatile bool _cancelled;

    public Generation(GenerationRequest request, List<int> prompt, int maxTokens, Tokenizer tokenizer, IReadOnlyList<int> endTokens)
    {
        _request = request;
        _tokens = prompt;
        _tokenizer = tokenizer;
        _endTokens = endTokens;
        _limit = prompt.Count + maxTokens;
        _text = new TextStream(tokenizer, request.Stop);
        _sampler = new Sampler(request.Temperature, request.TopK, request.TopP, request.Seed ?? Random.Shared.NextInt64());
    }

    /// <summary>Tokens as they are made. At most as many as asked for, so the channel needs no bound of its own.</summary>
    public ChannelReader<GeneratedToken> Output => _output.Reader;

    /// <summary>True once nobody waits for the text any more.</summary>
    public bool IsCancelled => _cancelled;

    /// <summary>True once the last token is out.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Positions that the text takes in a cache at most; the last token never goes back in.</summary>
    public int CacheLength => _limit - 1;

    public KeyValueCache? Cache { get; set; }

    /// <summary>Tokens that went through the model.</summary>
    public int Computed { get; set; }

    /// <summary>Tokens that have not yet gone through the model: the rest of the prompt, or the token made last.</summary>
    public int Pending => _tokens.Count - Computed;

    public int TokenAt(int position) => _tokens[position];

    /// <summary>Asks the engine to drop the text before its next step.</summary>
    public void Cancel() => _cancelled = true;

    public void Fail(Exception error) => _output.Writer.TryComplete(error);

    /// <summary>Chooses the next token and hands it out.</summary>
    public void Accept(ReadOnlySpan<float> logits)
    {
        var id = _sampler.Choose(logits);
        var logprobs = _request.Logprobs is { } top ? new[] { Logprobs.Of(logits, id, top, _tokenizer) } : null;
        _tokens.Add(id);
        var ended = _endTokens.Contains(id);
        var text = ended ? _text.Finish() : _text.Add(id);
        FinishReason? finish = ended || _text.Stopped ? FinishReason.Stop : _tokens.Count >= _limit ? FinishReason.Length : null;
        if (finish == FinishReason.Length)
        {
            text += _text.Finish();
        }

        _output.Writer.TryWrite(new GeneratedToken(id, text, finish, logprobs));
        if (finish is not null)
        {
            IsDone = true;
            _output.Writer.TryComplete();
        }
    }
}
