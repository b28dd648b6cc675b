using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines.Kernels;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines.Llama;

/// <summary>Runs one model of the Llama family on the processor: prompts in, tokens out.</summary>
/// <remarks>
/// One thread owns the model. In each step it takes every running text one token further, together with a piece of the prompts that came in meanwhile (continuous batching), so that the weights are
/// read once for all of them. All public members are safe for any number of threads. The tensor source stays the caller's: dispose it after the engine.
/// </remarks>
internal sealed class LlamaEngine : IAsyncDisposable
{
    private readonly LlamaConfig _config;
    private readonly Tokenizer _tokenizer;
    private readonly LlamaWeights _weights;
    private readonly LlamaEngineOptions _options;
    private readonly ConcurrentQueue<Generation> _arrivals = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IReadOnlyList<int> _endTokens;
    private Exception? _fault;
    private int _inFlight;
    private long _tokensMade;
    private int _disposed;

    private LlamaEngine(LlamaConfig config, Tokenizer tokenizer, LlamaWeights weights, LlamaEngineOptions options, CancellationTokenSource stop)
    {
        (_config, _tokenizer, _weights, _options, _stop) = (config, tokenizer, weights, options, stop);
        ChatTemplate = ChatTemplate.For(tokenizer, options.TokenizerConfigJson, out var reason);
        ChatTemplateFault = reason;
        _endTokens = [.. config.EndTokens.Union(ChatTemplate.EndTokens(tokenizer)).Union(ChatTemplate.For(tokenizer).EndTokens(tokenizer))];
        new Thread(Run) { IsBackground = true, Name = "llama-engine" }.Start();
    }

    /// <summary>Tokens of prompt and completion together.</summary>
    public int ContextLength => _config.ContextLength;

    /// <summary>How messages become a prompt for this model.</summary>
    public ChatTemplate ChatTemplate { get; }

    /// <summary>Why the chat template that the model brings along is not used; null if it is, or there is none.</summary>
    public string? ChatTemplateFault { get; }

    /// <summary>Ends when every weight is in place; fails with the reason why one is not. Prompts are taken before that.</summary>
    public Task Loaded => _weights.Loaded;

    /// <summary>Texts running or waiting.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Tokens made since the start, of all texts.</summary>
    public long TokensMade => Interlocked.Read(ref _tokensMade);

    /// <summary>Loads a model and returns when it is complete.</summary>
    /// <param name="configJson">Hugging Face <c>config.json</c>.</param>
    /// <param name="tokenizerJson">Hugging Face <c>tokenizer.json</c>.</param>
    /// <param name="tensors">The weights; taken in execution order. Bf16 and float matrices are used where they lie.</param>
    /// <param name="cancellationToken">Gives up loading.</param>
    /// <exception cref="EngineException">The files are not those of a model that this engine runs; code <see cref="ErrorCodes.ModelInvalid"/>.</exception>
    /// <exception cref="WeightsException">The source could not bring a tensor in.</exception>
    public static Task<LlamaEngine> LoadAsync(ReadOnlyMemory<byte> configJson, ReadOnlyMemory<byte> tokenizerJson, ITensorSource tensors, CancellationToken cancellationToken = default) =>
        LoadAsync(configJson, tokenizerJson, tensors, new LlamaEngineOptions(), cancellationToken);

    /// <inheritdoc cref="LoadAsync(ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, ITensorSource, CancellationToken)"/>
    public static async Task<LlamaEngine> LoadAsync(ReadOnlyMemory<byte> configJson, ReadOnlyMemory<byte> tokenizerJson, ITensorSource tensors, LlamaEngineOptions options, CancellationToken cancellationToken = default)
    {
        var engine = Start(configJson, tokenizerJson, tensors, options);
        try
        {
            await engine.Loaded.WaitAsync(cancellationToken);
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Begins to load a model and returns at once; a prompt may come before <see cref="Loaded"/> and computes through the early layers while later ones arrive.</summary>
    /// <exception cref="EngineException">Configuration, tokenizer and tensor list do not make a model that this engine runs.</exception>
    public static LlamaEngine Start(ReadOnlyMemory<byte> configJson, ReadOnlyMemory<byte> tokenizerJson, ITensorSource tensors, LlamaEngineOptions? options = null)
    {
        var config = LlamaConfig.Parse(configJson);
        var tokenizer = TokenizerFile.Parse(tokenizerJson);
        if (tokenizer.IdLimit > config.VocabularySize)
        {
            throw EngineException.ModelInvalid($"tokenizer.json has tokens up to {tokenizer.IdLimit - 1}, config.json says vocab_size {config.VocabularySize}; they belong to different models.");
        }

        var stop = new CancellationTokenSource();
        return new LlamaEngine(config, tokenizer, LlamaWeights.Start(config, tensors, stop.Token), options ?? new LlamaEngineOptions(), stop);
    }

    /// <summary>How many tokens a text is as a prompt.</summary>
    public int CountTokens(string text) => _tokenizer.Encode(text).Count;

    /// <summary>Continues a text. Cancelling, or leaving the loop early, frees what it holds within one step.</summary>
    /// <exception cref="EngineException">Thrown at once, before anything is enumerated: <see cref="ErrorCodes.PromptEmpty"/>, <see cref="ErrorCodes.PromptTooLong"/>,
    /// <see cref="ErrorCodes.InvalidRequest"/>, <see cref="ErrorCodes.TooManyRequests"/>; while enumerating: <see cref="ErrorCodes.ModelInvalid"/>, <see cref="ErrorCodes.Unavailable"/>.</exception>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        CheckSampling(request);
        if (request.Prompt.Length == 0)
        {
            throw new EngineException(ErrorCodes.PromptEmpty, "The prompt is empty; expected at least one character.");
        }

        var prompt = _tokenizer.Encode(request.Prompt);
        if (prompt.Count == 0)
        {
            throw new EngineException(ErrorCodes.PromptEmpty, "The prompt has no token that this model knows.");
        }

        var room = _config.ContextLength - prompt.Count;
        if (room < (request.MaxTokens ?? 1))
        {
            throw new EngineException(ErrorCodes.PromptTooLong, $"The prompt has {prompt.Count} tokens and asks for {request.MaxTokens ?? 1} more; this model's context is {_config.ContextLength}. Shorten the prompt or ask for at most {Math.Max(room, 0)} tokens.");
        }

        return EnumerateAsync(Admit(new Generation(request, prompt, request.MaxTokens ?? room, _tokenizer, _endTokens)), cancellationToken);
    }

    /// <summary>Takes one token through the whole model: a NaN or an infinity in any matrix is found by that, and named, before a caller meets it. May be called while weights are still arriving.</summary>
    /// <remarks>Rows of an embedding table that is not the output head as well are looked at only when their token is used.</remarks>
    /// <exception cref="EngineException">The weights have numbers that are not finite; code <see cref="ErrorCodes.ModelInvalid"/>.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        var probe = new Generation(new GenerationRequest { Prompt = "", MaxTokens = 1 }, [0], 1, _tokenizer, _endTokens);
        await foreach (var _ in EnumerateAsync(Admit(probe), cancellationToken))
        {
            // Nobody asked for this one.
            Interlocked.Decrement(ref _tokensMade);
        }
    }

    /// <summary>Stops the engine's thread, fails what still runs, and lets go of the tensors.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _stop.CancelAsync();
            _wake.Release();
        }

        await _stopped.Task;
        await _weights.Loaded.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _weights.Dispose();
    }

    private static void CheckSampling(GenerationRequest request)
    {
        var faults = new List<string>();
        void Expect(bool good, string fault)
        {
            if (!good)
            {
                faults.Add(fault);
            }
        }

        Expect(request.MaxTokens is null or >= 1, $"max_tokens is {request.MaxTokens}, expected at least 1");
        Expect(request.Temperature is >= 0 and <= 2, $"temperature is {request.Temperature}, expected 0 to 2");
        Expect(request.TopK >= 0, $"top_k is {request.TopK}, expected 0 (all) or more");
        Expect(request.TopP is > 0 and <= 1, $"top_p is {request.TopP}, expected above 0 to 1");
        Expect(request.Logprobs is null or (>= 0 and <= 20), $"logprobs is {request.Logprobs}, expected 0 to 20");
        Expect(request.Stop.Count <= 16 && request.Stop.All(stop => stop.Length > 0), "stop has more than 16 strings or an empty one");
        if (faults.Count > 0)
        {
            throw new EngineException(ErrorCodes.InvalidRequest, string.Join("; ", faults) + ".");
        }
    }

    private Generation Admit(Generation generation)
    {
        if (Interlocked.Increment(ref _inFlight) > _options.MaxActive + _options.MaxWaiting)
        {
            Interlocked.Decrement(ref _inFlight);
            throw new EngineException(ErrorCodes.TooManyRequests, $"{_options.MaxActive} texts are running on this model and {_options.MaxWaiting} wait; try again later.");
        }

        _arrivals.Enqueue(generation);
        if (Volatile.Read(ref _fault) is not null)
        {
            FailArrivals();
        }
        else
        {
            _wake.Release();
        }

        return generation;
    }

    private static async IAsyncEnumerable<GeneratedToken> EnumerateAsync(Generation generation, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var token in generation.Output.ReadAllAsync(cancellationToken))
            {
                yield return token;
            }
        }
        finally
        {
            generation.Cancel();
        }
    }

    private void Run()
    {
        var active = new List<Generation>();
        try
        {
            using var team = new ThreadTeam(_options.ThreadCount);
            using var decoder = new LlamaDecoder(_config, _weights, Kernel.For(_options.Simd), team, Math.Max(_options.MaxRows, _options.MaxActive), _options.MaxActive);
            while (true)
            {
                if (active.Count == 0)
                {
                    _wake.Wait(_stop.Token);
                }

                _stop.Token.ThrowIfCancellationRequested();
                TakeArrivals(active);
                Drop(active, static generation => generation.IsCancelled);
                if (active.Count > 0)
                {
                    Step(decoder, active);
                    Drop(active, static generation => generation.IsDone);
                }
            }
        }
        catch (Exception error)
        {
            Volatile.Write(ref _fault, _stop.IsCancellationRequested ? new EngineException(ErrorCodes.Unavailable, "The model was unloaded while the text was being made. Send the request again.") : error);
            Drop(active, static _ => true);
            FailArrivals();
        }
        finally
        {
            _stopped.SetResult();
        }
    }

    private void TakeArrivals(List<Generation> active)
    {
        while (active.Count < _options.MaxActive && _arrivals.TryDequeue(out var generation))
        {
            if (generation.IsCancelled)
            {
                End(generation);
                continue;
            }

            try
            {
                generation.Cache = new KeyValueCache(_config, generation.CacheLength);
                active.Add(generation);
            }
            catch (OutOfMemoryException error)
            {
                // One text too many is refused; those that run go on.
                generation.Fail(new EngineException(ErrorCodes.TooManyRequests, $"There is no memory for the {KeyValueCache.LengthOf(_config, generation.CacheLength)} bytes of keys and values of {generation.CacheLength} tokens. Ask for fewer tokens, or try again when other texts are done.", error));
                End(generation);
            }
        }
    }

    /// <summary>One token for every text whose prompt is through; the rows left over go to prompts, oldest first.</summary>
    private void Step(LlamaDecoder decoder, List<Generation> active)
    {
        var rows = new List<StepRow>(decoder.MaxRows);
        var finishing = new List<Generation>();
        var reserved = active.Count;
        foreach (var generation in active)
        {
            reserved--;
            var count = Math.Min(generation.Pending, decoder.MaxRows - rows.Count - reserved);
            for (var i = 0; i < count; i++)
            {
                var position = generation.Computed + i;
                rows.Add(new StepRow(generation.TokenAt(position), position, generation.Cache!, i == generation.Pending - 1));
            }

            if (count == generation.Pending)
            {
                finishing.Add(generation);
            }

            generation.Computed += count;
        }

        decoder.Step(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(rows));
        for (var i = 0; i < finishing.Count; i++)
        {
            var logits = decoder.Logits(i);
            CheckFinite(logits);
            finishing[i].Accept(logits);
        }

        Interlocked.Add(ref _tokensMade, finishing.Count);
    }

    /// <summary>A NaN anywhere in the weights ends up here: at the latest in the first text, with <see cref="CheckAsync"/> at load.</summary>
    private void CheckFinite(ReadOnlySpan<float> logits)
    {
        var sum = 0f;
        foreach (var logit in logits)
        {
            // Zero times a NaN or an infinity is a NaN.
            sum += logit * 0;
        }

        if (float.IsNaN(sum))
        {
            throw EngineException.ModelInvalid(_weights.FindBadTensor() is { } name
                ? $"The weights have a NaN or an infinity in tensor '{name}'; expected finite numbers. Publish the model again from a good copy."
                : "The model computes numbers that are not finite although its weights are; they are too large for this configuration.");
        }
    }

    private void Drop(List<Generation> active, Predicate<Generation> which)
    {
        for (var i = active.Count - 1; i >= 0; i--)
        {
            if (which(active[i]))
            {
                End(active[i]);
                active.RemoveAt(i);
            }
        }
    }

    private void FailArrivals()
    {
        while (_arrivals.TryDequeue(out var generation))
        {
            End(generation);
        }
    }

    private void End(Generation generation)
    {
        generation.Cache?.Dispose();
        generation.Cache = null;
        Interlocked.Decrement(ref _inFlight);
        if (!generation.IsDone)
        {
            generation.Fail(_fault ?? new OperationCanceledException());
        }
    }
}
