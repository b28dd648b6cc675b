using System.Text;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Kernels;
using Platform.Worker.Engines.Llama;

namespace Platform.UnitTests.Engines;

public sealed class LlamaEngineTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, Dictionary<string, object?>, int> Variants => new()
    {
        { "llama", [], (int)TensorType.BF16 },
        { "tied, one key head", new() { ["tie_word_embeddings"] = true, ["num_key_value_heads"] = 1 }, (int)TensorType.BF16 },
        { "head_dim of its own", new() { ["head_dim"] = 20, ["hidden_size"] = 52 }, (int)TensorType.F32 },
        { "biases", new() { ["attention_bias"] = true, ["mlp_bias"] = true }, (int)TensorType.F16 },
        { "llama3 rope", new() { ["rope_theta"] = 500000.0, ["rope_scaling"] = new Dictionary<string, object> { ["rope_type"] = "llama3", ["factor"] = 8.0, ["low_freq_factor"] = 1.0, ["high_freq_factor"] = 4.0, ["original_max_position_embeddings"] = 32 } }, (int)TensorType.BF16 },
        { "linear rope", new() { ["rope_scaling"] = new Dictionary<string, object> { ["type"] = "linear", ["factor"] = 2.0 } }, (int)TensorType.BF16 },
        { "mistral with a window", new() { ["architectures"] = new[] { "MistralForCausalLM" }, ["sliding_window"] = 5 }, (int)TensorType.BF16 },
        { "qwen2", new() { ["architectures"] = new[] { "Qwen2ForCausalLM" }, ["sliding_window"] = 5, ["use_sliding_window"] = false }, (int)TensorType.BF16 },
        { "qwen2 with a window from the second layer on", new() { ["architectures"] = new[] { "Qwen2ForCausalLM" }, ["sliding_window"] = 5, ["use_sliding_window"] = true, ["max_window_layers"] = 1 }, (int)TensorType.BF16 },
        { "qwen2 with a window from a layer on that it does not have", new() { ["architectures"] = new[] { "Qwen2ForCausalLM" }, ["sliding_window"] = 5, ["use_sliding_window"] = true }, (int)TensorType.BF16 },
        { "qwen2 with kinds of layers", new() { ["architectures"] = new[] { "Qwen2ForCausalLM" }, ["sliding_window"] = 5, ["use_sliding_window"] = true, ["layer_types"] = new[] { "sliding_attention", "full_attention" } }, (int)TensorType.BF16 },
        { "rope in an object of its own", new() { ["rope_theta"] = null, ["rope_parameters"] = new Dictionary<string, object> { ["rope_theta"] = 500000.0, ["rope_type"] = "llama3", ["factor"] = 8.0, ["low_freq_factor"] = 1.0, ["high_freq_factor"] = 4.0, ["original_max_position_embeddings"] = 32 } }, (int)TensorType.BF16 },
        { "8-bit, 4 exponent bits", [], (int)TensorType.F8E4M3 },
        { "8-bit, 5 exponent bits", [], (int)TensorType.F8E5M2 },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task GenerateAsync_RandomModel_AgreesWithTheTextbookDecoder(string variant, Dictionary<string, object?> change, int type)
    {
        var model = RandomModel.Create(variant.Length, change, (TensorType)type);
        await using var engine = await model.LoadAsync();

        var made = await CollectAsync(engine, new GenerationRequest { Prompt = "Quick tests find odd bugs.", MaxTokens = 12, Logprobs = 3 });

        // Near ties may fall differently in floats: compare the distribution at each step, and the choice within rounding.
        var reference = new ReferenceDecoder(model);
        var tokens = Encoding.UTF8.GetBytes("Quick tests find odd bugs.").Select(value => (int)value).ToList();
        foreach (var token in made)
        {
            var logits = reference.Logits(tokens);
            var normalizer = Math.Log(logits.Sum(Math.Exp));
            Assert.Equal(logits[token.Id] - normalizer, token.Logprobs![0].Chosen.Logprob, 3e-3);
            Assert.Equal(logits.Max(), logits[token.Id], 3e-3);
            Assert.Equal(logits.OrderDescending().Take(3).Select(logit => logit - normalizer), token.Logprobs[0].Top.Select(entry => (double)entry.Logprob), (a, b) => Math.Abs(a - b) < 3e-3);
            tokens.Add(token.Id);
        }

        Assert.Equal(12, made.Count);
    }

    [Fact]
    public async Task GenerateAsync_EveryKindOfSimdAndThreadsAndBatch_MakesTheSameTokens()
    {
        var model = RandomModel.Create(5);
        var prompts = Enumerable.Range(0, 7).Select(i => new string((char)('a' + i), (i * 7) + 1)).ToArray();
        var kinds = Enum.GetValues<SimdKind>().Where(kind => kind <= Simd.Best);
        List<List<(int Id, float Logprob)>>? expected = null;

        foreach (var options in kinds.SelectMany(kind => new[]
        {
            new LlamaEngineOptions { Simd = kind, MaxActive = 1 },
            new LlamaEngineOptions { Simd = kind, MaxActive = 4, MaxRows = 5 },
            new LlamaEngineOptions { Simd = kind, MaxActive = 8, MaxRows = 64, ThreadCount = 3 },
        }))
        {
            await using var engine = await model.LoadAsync(options);

            var made = await Task.WhenAll(prompts.Select((prompt, i) => CollectAsync(engine, new GenerationRequest { Prompt = prompt, MaxTokens = 20, Logprobs = 0, Temperature = i % 2, Seed = i, TopK = i, TopP = 0.9 })));

            var tokens = made.Select(text => text.Select(token => (token.Id, token.Logprobs![0].Chosen.Logprob)).ToList()).ToList();
            expected ??= tokens;
            Assert.Equal(expected, tokens);
            Assert.Equal(0, engine.InFlight);
        }
    }

    [Fact]
    public async Task GenerateAsync_WhileWeightsArriveOneByOne_MakesTheSameTokensAsWhenLoaded()
    {
        var model = RandomModel.Create(9);
        await using var loaded = await model.LoadAsync();
        var expected = await CollectAsync(loaded, new GenerationRequest { Prompt = "one two", MaxTokens = 8 });
        var source = new GatedTensors(model.Source());
        await using var engine = LlamaEngine.Start(model.ConfigJson, model.TokenizerJson, source);

        var generation = CollectAsync(engine, new GenerationRequest { Prompt = "one two", MaxTokens = 8 });
        foreach (var _ in model.Tensors)
        {
            Assert.False(generation.IsCompleted);
            source.ReleaseOne();
        }

        Assert.Equal(expected.Select(token => token.Id), (await generation).Select(token => token.Id));
        Assert.Equal(LlamaTensors.Expected(model.Config).Select(tensor => tensor.Name), source.Asked);
    }

    [Fact]
    public async Task LoadAsync_CancelledBeforeWeightsArrive_StopsWaiting()
    {
        var model = RandomModel.Create(1);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var loading = LlamaEngine.LoadAsync(model.ConfigJson, model.TokenizerJson, new GatedTensors(model.Source()), cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loading);
    }

    [Fact]
    public async Task GenerateAsync_EndToken_EndsTheTextWithoutShowingIt()
    {
        var model = RandomModel.Create(3);
        await using var free = await model.LoadAsync();
        var made = await CollectAsync(free, new GenerationRequest { Prompt = "abc", MaxTokens = 10 });
        var end = made[4].Id;
        var first = made.FindIndex(token => token.Id == end);

        var ending = RandomModel.Create(3, new() { ["eos_token_id"] = new[] { 9999, end } });
        await using var engine = await ending.LoadAsync();
        var ended = await CollectAsync(engine, new GenerationRequest { Prompt = "abc", MaxTokens = 10 });

        Assert.Equal(first + 1, ended.Count);
        Assert.Equal(FinishReason.Stop, ended[^1].Finish);
        Assert.Equal(FinishReason.Length, made[^1].Finish);
        Assert.All(ended.SkipLast(1), token => Assert.Null(token.Finish));
    }

    [Fact]
    public async Task GenerateAsync_StopString_EndsTheTextBeforeIt()
    {
        var model = RandomModel.Create(4);
        await using var engine = await model.LoadAsync();
        var whole = string.Concat((await CollectAsync(engine, new GenerationRequest { Prompt = "abc", MaxTokens = 40, Temperature = 1, Seed = 6 })).Select(token => token.Text));
        var stop = whole[9..12];

        var made = await CollectAsync(engine, new GenerationRequest { Prompt = "abc", MaxTokens = 40, Temperature = 1, Seed = 6, Stop = ["never", stop] });

        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], string.Concat(made.Select(token => token.Text)));
        Assert.Equal(FinishReason.Stop, made[^1].Finish);
    }

    [Fact]
    public async Task GenerateAsync_SameSeed_MakesTheSameText_AnotherSeedAnother()
    {
        await using var engine = await RandomModel.Create(8).LoadAsync();
        async Task<string> TextAsync(long seed) => string.Join(' ', (await CollectAsync(engine, new GenerationRequest { Prompt = "abc", MaxTokens = 30, Temperature = 1.2, Seed = seed })).Select(token => token.Id));

        Assert.Equal(await TextAsync(1), await TextAsync(1));
        Assert.NotEqual(await TextAsync(1), await TextAsync(2));
    }

    [Theory]
    [InlineData("", 5, ErrorCodes.PromptEmpty)]
    [InlineData("abcd", 0, ErrorCodes.InvalidRequest)]
    [InlineData("abcd", 93, ErrorCodes.PromptTooLong)]
    public async Task GenerateAsync_UnusableRequest_IsRefusedBeforeAnythingIsEnumerated(string prompt, int maxTokens, string code)
    {
        await using var engine = await RandomModel.Create(2).LoadAsync();

        var error = Assert.Throws<EngineException>(() => engine.GenerateAsync(new GenerationRequest { Prompt = prompt, MaxTokens = maxTokens }, Cancelled));

        Assert.Equal(code, error.Code);
        Assert.Equal(0, engine.InFlight);
    }

    [Fact]
    public async Task GenerateAsync_PromptAndTokensThatJustFit_AreMade()
    {
        await using var engine = await RandomModel.Create(2).LoadAsync();

        Assert.Equal(92, (await CollectAsync(engine, new GenerationRequest { Prompt = "abcd", MaxTokens = 92 })).Count);
        Assert.Equal(92, (await CollectAsync(engine, new GenerationRequest { Prompt = "abcd", MaxTokens = null })).Count);
    }

    [Fact]
    public async Task GenerateAsync_LeftEarly_FreesItsPlace()
    {
        // So long a text takes about a minute to its end; the test leaves at its first token.
        const int Length = 60_000;
        var model = RandomModel.Create(2, new() { ["max_position_embeddings"] = Length });
        await using var engine = await model.LoadAsync(new LlamaEngineOptions { MaxActive = 1, MaxWaiting = 0 });

        await foreach (var _ in engine.GenerateAsync(new GenerationRequest { Prompt = "abcd", MaxTokens = Length - 4 }, Cancelled))
        {
            break;
        }

        while (engine.InFlight > 0)
        {
            await Task.Yield();
        }

        Assert.InRange(engine.TokensMade, 1, Length - 5);
        Assert.Equal(3, (await CollectAsync(engine, new GenerationRequest { Prompt = "abcd", MaxTokens = 3 })).Count);
    }

    [Fact]
    public async Task GenerateAsync_TextThatComesWhileAnotherRuns_IsMadeBesideIt()
    {
        // The first takes about a minute to its end: whoever waits for that is not batched with it.
        const int Length = 60_000;
        await using var engine = await RandomModel.Create(2, new() { ["max_position_embeddings"] = Length }).LoadAsync(new LlamaEngineOptions { MaxActive = 2 });
        await using var first = engine.GenerateAsync(new GenerationRequest { Prompt = "abcd", MaxTokens = Length - 4 }, Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await first.MoveNextAsync());

        var second = await CollectAsync(engine, new GenerationRequest { Prompt = "a prompt of more tokens than go into one step of the engine beside others, so that it takes several", MaxTokens = 3 });

        Assert.Equal((3, 1), (second.Count, engine.InFlight));
    }

    [Fact]
    public async Task GenerateAsync_BeyondTheBound_IsRefused()
    {
        var model = RandomModel.Create(2);
        var source = new GatedTensors(model.Source());
        await using var engine = LlamaEngine.Start(model.ConfigJson, model.TokenizerJson, source, new LlamaEngineOptions { MaxActive = 1, MaxWaiting = 2 });
        var request = new GenerationRequest { Prompt = "abcd", MaxTokens = 3 };
        var held = Enumerable.Range(0, 3).Select(_ => CollectAsync(engine, request)).ToArray();

        var error = Assert.Throws<EngineException>(() => engine.GenerateAsync(request, Cancelled));
        foreach (var _ in model.Tensors)
        {
            source.ReleaseOne();
        }

        Assert.Equal(ErrorCodes.TooManyRequests, error.Code);
        Assert.All(await Task.WhenAll(held), text => Assert.Equal(3, text.Count));
    }

    [Fact]
    public async Task DisposeAsync_WhileATextIsMade_FailsIt()
    {
        var model = RandomModel.Create(2);
        var engine = LlamaEngine.Start(model.ConfigJson, model.TokenizerJson, new GatedTensors(model.Source()));
        var held = CollectAsync(engine, new GenerationRequest { Prompt = "abcd", MaxTokens = 3 });

        await engine.DisposeAsync();

        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<EngineException>(() => held)).Code);
        var late = engine.GenerateAsync(new GenerationRequest { Prompt = "abcd" }, Cancelled);
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<EngineException>(async () => await late.FirstAsync(Cancelled))).Code);
    }

    [Theory]
    [InlineData("model.layers.1.mlp.up_proj.weight")]
    [InlineData("model.norm.weight")]
    public async Task GenerateAsync_NanInTheWeights_NamesTheTensor(string name)
    {
        var model = RandomModel.Create(2);
        var index = model.Tensors.FindIndex(tensor => tensor.Name == name);
        var bytes = model.Tensors[index].Bytes.ToArray();
        bytes.AsSpan(0, 4).Fill(0xff);
        model.Tensors[index] = model.Tensors[index] with { Bytes = bytes };
        await using var engine = await model.LoadAsync();

        var error = await Assert.ThrowsAsync<EngineException>(() => CollectAsync(engine, new GenerationRequest { Prompt = "abc", MaxTokens = 1 }));

        Assert.Equal(ErrorCodes.ModelInvalid, error.Code);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Start_WeightsThatDoNotFitTheConfig_NamesEachTensor()
    {
        var model = RandomModel.Create(2);
        model.Tensors.RemoveAll(tensor => tensor.Name == "lm_head.weight");
        var index = model.Tensors.FindIndex(tensor => tensor.Name == "model.layers.0.self_attn.k_proj.weight");
        model.Tensors[index] = model.Tensors[index] with { Shape = [48, 24] };
        model.Tensors[0] = model.Tensors[0] with { Type = TensorType.I16 };

        var error = Assert.Throws<EngineException>(() => LlamaEngine.Start(model.ConfigJson, model.TokenizerJson, model.Source()));

        Assert.Contains("'lm_head.weight' is missing, expected [260, 48]", error.Message, StringComparison.Ordinal);
        Assert.Contains("k_proj.weight' has the shape [48, 24], config.json needs [24, 48]", error.Message, StringComparison.Ordinal);
        Assert.Contains("'model.embed_tokens.weight' is I16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("architectures", "GPT2LMHeadModel", "'GPT2LMHeadModel'; supported: LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM")]
    [InlineData("num_attention_heads", 5, "head")]
    [InlineData("num_key_value_heads", 3, "not a multiple")]
    [InlineData("hidden_size", -1, "hidden_size is -1")]
    [InlineData("intermediate_size", null, "intermediate_size is missing")]
    [InlineData("vocab_size", 200, "different models")]
    [InlineData("hidden_act", "gelu", "'gelu', supported: silu")]
    [InlineData("layer_types", "chunked_attention", "layer_types has 1 entries for 2 layers; layer_types are chunked_attention, supported: full_attention, sliding_attention")]
    [InlineData("rope_scaling", "yarn", "'yarn', supported: default, linear, llama3")]
    public void Start_ConfigThatCannotBe_IsRefusedWithTheReason(string member, object? value, string fault)
    {
        var model = RandomModel.Create(2);
        var config = System.Text.Json.Nodes.JsonNode.Parse(model.ConfigJson)!.AsObject();
        config["architectures"]![0] = member == "layer_types" ? "Qwen2ForCausalLM" : "LlamaForCausalLM";
        config[member] = member switch
        {
            "architectures" or "layer_types" => new System.Text.Json.Nodes.JsonArray((string)value!),
            "rope_scaling" => new System.Text.Json.Nodes.JsonObject { ["rope_type"] = (string)value! },
            _ => value is null ? null : System.Text.Json.JsonSerializer.SerializeToNode(value),
        };

        var error = Assert.Throws<EngineException>(() => LlamaEngine.Start(Encoding.UTF8.GetBytes(config.ToJsonString()), model.TokenizerJson, model.Source()));

        Assert.Equal(ErrorCodes.ModelInvalid, error.Code);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MistralForCausalLM", "{}", 4096)]
    [InlineData("MistralForCausalLM", """{"sliding_window":null}""", null)]
    [InlineData("MistralForCausalLM", """{"sliding_window":7}""", 7)]
    [InlineData("Qwen2ForCausalLM", """{"sliding_window":7}""", null)]
    [InlineData("Qwen2ForCausalLM", """{"use_sliding_window":true,"max_window_layers":0}""", 4096)]
    [InlineData("LlamaForCausalLM", """{"sliding_window":7}""", null)]
    public void Parse_Window_IsWhatTheFamilysOwnClassTakes(string family, string members, int? window)
    {
        var config = System.Text.Json.Nodes.JsonNode.Parse(RandomModel.Create(2).ConfigJson)!.AsObject();
        config["architectures"]![0] = family;
        foreach (var (name, value) in System.Text.Json.Nodes.JsonNode.Parse(members)!.AsObject())
        {
            config[name] = value?.DeepClone();
        }

        Assert.Equal(window, LlamaConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString())).WindowOf(1));
    }

    private static async Task<List<GeneratedToken>> CollectAsync(LlamaEngine engine, GenerationRequest request) =>
        await engine.GenerateAsync(request, Cancelled).ToListAsync(Cancelled);

    /// <summary>Tensors that arrive only when the test says so, in the order in which they are asked for.</summary>
    private sealed class GatedTensors(InMemoryTensors inner) : ITensorSource
    {
        private readonly SemaphoreSlim _gate = new(0);

        public List<string> Asked { get; } = [];

        public IReadOnlyDictionary<string, TensorInfo> Tensors => inner.Tensors;

        public void ReleaseOne() => _gate.Release();

        public async ValueTask<ReadOnlyMemory<byte>> GetAsync(string name, CancellationToken cancellationToken = default)
        {
            Asked.Add(name);
            await _gate.WaitAsync(cancellationToken);
            return await inner.GetAsync(name, cancellationToken);
        }

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
