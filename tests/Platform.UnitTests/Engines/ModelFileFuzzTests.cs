using System.Text.Json.Nodes;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.UnitTests.Engines;

/// <summary>A model's small files, damaged in ways that stay JSON: each is read, or refused with the reason.</summary>
public sealed class ModelFileFuzzTests
{
    private static readonly Func<Random, JsonNode?>[] Strange =
    [
        static _ => null,
        static _ => JsonValue.Create(-1),
        static random => JsonValue.Create(random.NextInt64()),
        static random => JsonValue.Create(random.NextDouble() * 1e300),
        static _ => JsonValue.Create(""),
        static _ => JsonValue.Create("( ?"),
        static _ => JsonValue.Create(true),
        static _ => new JsonArray(),
        static _ => new JsonArray(null, 1, "a", new JsonObject()),
        static _ => new JsonObject(),
        static _ => new JsonObject { ["type"] = null },
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Parse_DamagedConfigs_AreReadOrRefused(int seed) => DamageAll(
        seed,
        JsonNode.Parse(RandomModel.Create(1, new() { ["architectures"] = new[] { "Qwen2ForCausalLM" }, ["use_sliding_window"] = true, ["sliding_window"] = 7, ["layer_types"] = new[] { "full_attention", "sliding_attention" }, ["rope_scaling"] = new Dictionary<string, object> { ["rope_type"] = "llama3", ["factor"] = 8.0, ["low_freq_factor"] = 1.0, ["high_freq_factor"] = 4.0, ["original_max_position_embeddings"] = 32 } }).ConfigJson)!,
        static json => LlamaConfig.Parse(json));

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Parse_DamagedTokenizers_AreReadAndEncode_OrAreRefused(int seed) => DamageAll(
        seed,
        JsonNode.Parse("""
            {"added_tokens":[{"id":8,"content":"<s>","special":true,"lstrip":false}],
             "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"}]},
             "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
             "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[8],"tokens":["<s>"]}}},
             "decoder":{"type":"ByteLevel"},
             "model":{"type":"BPE","ignore_merges":false,"vocab":{"a":0,"b":1,"c":2,"ab":3,"Ġ":4,"abc":5},"merges":["a b",["ab","c"]]}}
            """)!,
        static json => TokenizerFile.Parse(json).Encode("abc <s> cab"));

    /// <summary>Replaces, removes or adds one to three nodes of the tree, many times.</summary>
    private static void DamageAll(int seed, JsonNode whole, Action<byte[]> read)
    {
        var random = new Random(seed);
        var (good, refused) = (0, 0);
        for (var round = 0; round < 4000; round++)
        {
            var damaged = whole.DeepClone();
            for (var times = random.Next(1, 4); times > 0; times--)
            {
                Damage(damaged, random);
            }

            var fault = Record.Exception(() => read(System.Text.Encoding.UTF8.GetBytes(damaged.ToJsonString())));

            Assert.True(fault is null or EngineException, $"seed {seed}, round {round}: {damaged.ToJsonString()}\n{fault}");
            (good, refused) = fault is null ? (good + 1, refused) : (good, refused + 1);
        }

        Assert.True(good > 100 && refused > 100, $"{good} read, {refused} refused");
    }

    private static void Damage(JsonNode root, Random random)
    {
        var parents = Parents(root).ToList();
        var parent = parents[random.Next(parents.Count)];
        var strange = Strange[random.Next(Strange.Length)](random);
        if (parent is JsonArray array)
        {
            var at = random.Next(array.Count);
            array[at] = strange;
        }
        else
        {
            var members = parent.AsObject();
            var name = members.ElementAt(random.Next(members.Count)).Key;
            members.Remove(name);
            if (random.Next(4) > 0)
            {
                members[name] = strange;
            }
        }
    }

    private static IEnumerable<JsonNode> Parents(JsonNode node) => node switch
    {
        JsonObject { Count: > 0 } members => members.Select(member => member.Value).OfType<JsonNode>().SelectMany(Parents).Prepend(node),
        JsonArray { Count: > 0 } items => items.OfType<JsonNode>().SelectMany(Parents).Prepend(node),
        _ => [],
    };
}
