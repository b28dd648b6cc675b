using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.UnitTests.Engines;

/// <summary>Compares token ids with Hugging Face's own JavaScript tokenizer, where npm has put it.</summary>
public sealed class TokenizerOracleTests
{
    private static readonly string Folder = Path.Combine(DemoModel.Repository, "tests", "node");

    public static TheoryData<string, string> Changes => new()
    {
        { "the demo model's own file", "{}" },
        { "merges as pairs", """{"pairs":true}""" },
        { "Llama 3's words", """{"split":"llama3"}""" },
        { "Qwen 2's words and NFC", """{"split":"qwen2","normalizer":{"type":"NFC"}}""" },
        { "no words at all", """{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}}""" },
        { "a space before the text", """{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}}""" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Encode_ManyTexts_GivesTheIdsOfTheReference(string situation, string change)
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Folder, "node_modules", "@huggingface", "tokenizers")), "npm package @huggingface/tokenizers is not installed: run npm ci in tests/node.");
        var file = Change(JsonNode.Parse(await File.ReadAllBytesAsync(DemoModel.File("tokenizer.json"), TestContext.Current.CancellationToken))!.AsObject(), JsonNode.Parse(change)!.AsObject());
        var random = new Random(situation.Length);
        string[] texts =
        [
            "Once upon a time, there was a small fox.\n\n\"Who is there?\" she asked. It's 12345 o'clock, WE'LL see!",
            "  two  spaces   and\ttabs\r\n\r\n  end  ",
            "naïve façade Ελλάδα 中文字符 🐢🐢 é ½ ٣٤",
            "<|endoftext|>a<|endoftext|><|endoftext|> b",
            "def f(x):\n    return x**2  # comment\n",
            .. Enumerable.Range(0, 300).Select(_ => TokenizerTests.RandomText(random, random.Next(1, 50))),
        ];
        if (file["normalizer"] is not null)
        {
            // Composing characters is left to whoever wrote the prompt.
            texts = texts[..5];
        }

        var tokenizer = TokenizerFile.Parse(JsonSerializer.SerializeToUtf8Bytes(file));

        var expected = await ReferenceAsync(file, texts);

        for (var i = 0; i < texts.Length; i++)
        {
            Assert.True(expected[i].SequenceEqual(tokenizer.Encode(texts[i])), $"{situation}: {JsonSerializer.Serialize(texts[i])} is {string.Join(' ', expected[i])}, ours {string.Join(' ', tokenizer.Encode(texts[i]))}");
        }
    }

    private static JsonObject Change(JsonObject file, JsonObject change)
    {
        foreach (var (name, value) in change)
        {
            switch (name)
            {
                case "pairs":
                    var merges = file["model"]!["merges"]!.AsArray().Select(merge => (JsonNode)new JsonArray([.. merge!.GetValue<string>().Split(' ').Select(part => (JsonNode)part)])).ToArray();
                    file["model"]!["merges"] = new JsonArray(merges);
                    file["model"]!["ignore_merges"] = true;
                    break;
                case "split":
                    var pattern = value!.GetValue<string>() == "llama3" ? WordSplitter.Llama3Pattern : WordSplitter.Qwen2Pattern;
                    file["pre_tokenizer"] = JsonNode.Parse($$$"""
                        {"type":"Sequence","pretokenizers":[
                          {"type":"Split","pattern":{"Regex":{{{JsonSerializer.Serialize(pattern)}}}},"behavior":"Isolated","invert":false},
                          {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
                        """);
                    break;
                default:
                    file[name] = value!.DeepClone();
                    break;
            }
        }

        return file;
    }

    private static async Task<int[][]> ReferenceAsync(JsonObject file, string[] texts)
    {
        var start = new ProcessStartInfo("node", "tokenize.mjs") { WorkingDirectory = Folder, RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        using var node = Process.Start(start)!;
        var output = node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await JsonSerializer.SerializeAsync(node.StandardInput.BaseStream, new JsonObject { ["tokenizer"] = file.DeepClone(), ["texts"] = new JsonArray([.. texts.Select(text => (JsonNode)text)]) }, cancellationToken: TestContext.Current.CancellationToken);
        node.StandardInput.Close();
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, node.ExitCode);
        return JsonSerializer.Deserialize<int[][]>(await output)!;
    }
}
