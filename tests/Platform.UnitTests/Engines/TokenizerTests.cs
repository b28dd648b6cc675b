using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.UnitTests.Engines;

public sealed class TokenizerTests
{
    private static readonly Tokenizer Demo = TokenizerFile.Parse(File.ReadAllBytes(DemoModel.File("tokenizer.json")));

    [Fact]
    public void Decode_AnyEncodedText_GivesTheTextBack()
    {
        var random = new Random(3);
        for (var round = 0; round < 2000; round++)
        {
            var text = RandomText(random, random.Next(60));

            Assert.Equal(text, Demo.Decode(Demo.Encode(text)));
        }
    }

    [Fact]
    public void Encode_LoneSurrogate_CountsAsAReplacementCharacter() =>
        Assert.Equal("a\ufffdb", Demo.Decode(Demo.Encode("a\ud800b")));

    [Fact]
    public void Add_TokenByToken_GivesWholeCharactersThatJoinToTheText()
    {
        var random = new Random(4);
        for (var round = 0; round < 500; round++)
        {
            var text = RandomText(random, random.Next(40));
            var stream = new TextStream(Demo, []);

            var pieces = Demo.Encode(text).Select(stream.Add).Append(stream.Finish()).ToList();

            Assert.Equal(text, string.Concat(pieces));
            Assert.All(pieces, piece => Assert.Equal(piece, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(piece))));
        }
    }

    [Fact]
    public void Add_HalfACharacterAtTheEnd_IsReplacedOnlyWhenNothingFollows()
    {
        var stream = new TextStream(Demo, []);

        Assert.Equal("", stream.Add(0xf0));
        Assert.Equal("\ufffd", stream.Finish());
    }

    [Theory]
    [InlineData("one END two", "one ")]
    [InlineData("one EN two", "one EN two")]
    [InlineData("EEND", "E")]
    [InlineData("xaab", "x")]
    [InlineData("xaaab", "xa")]
    public void Add_StopString_IsHeldBackUntilItIsCertain(string text, string expected)
    {
        var stream = new TextStream(Demo, ["END", "aab"]);
        var shown = new StringBuilder();

        foreach (var id in Encoding.UTF8.GetBytes(text))
        {
            // Ids below 256 are bytes in this vocabulary.
            shown.Append(stream.Add(id));
            Assert.StartsWith(shown.ToString(), expected, StringComparison.Ordinal);
        }

        shown.Append(stream.Finish());
        Assert.Equal(expected, shown.ToString());
        Assert.Equal(expected != text, stream.Stopped);
    }

    [Theory]
    [InlineData(WordSplitter.Gpt2Pattern)]
    [InlineData(WordSplitter.Llama3Pattern)]
    [InlineData(WordSplitter.Qwen2Pattern)]
    public void Split_ByHand_CutsWhereTheRegularExpressionDoes(string pattern)
    {
        var random = new Random(5);
        var regex = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
        var splitter = WordSplitter.For(pattern);
        const string Alphabet = "aBé' 'sStTrReElLmdDvV 12٣½\n\r\t  .,!?-_字\u00a0\u2003\u0301";
        for (var round = 0; round < 20_000; round++)
        {
            var text = new string(random.GetItems(Alphabet.AsSpan(), random.Next(14)));
            var ends = new List<int>();

            splitter.Split(text, ends);

            Assert.Equal(regex.Matches(text).Select(match => match.Index + match.Length), ends);
        }
    }

    [Fact]
    public void Encode_LongWord_TakesTheSameMergesAsTheShortWay()
    {
        var text = string.Concat(Enumerable.Repeat("onceuponatimetherewasalittlefoxnamed", 40));
        var merges = ReadMerges();

        Assert.Equal(SlowMerge(text, merges), Demo.Encode(text, addSpecialTokens: false).Select(id => Encoding.UTF8.GetString(Demo.RawBytesOf(id))));
    }

    [Fact]
    public void Encode_AMegabyteWithoutASpace_TakesNoQuadraticTime()
    {
        var text = new string('o', 1 << 20);

        Assert.Equal(text, Demo.Decode(Demo.Encode(text)));
    }

    [Fact]
    public void Encode_SpecialTokenInTheText_IsOneToken()
    {
        var end = Demo.IdOf("<|endoftext|>")!.Value;

        Assert.Equal([end, .. Demo.Encode("a", false), end, .. Demo.Encode("b", false)], Demo.Encode("a<|endoftext|>b"));
        Assert.Equal("ab", Demo.Decode(Demo.Encode("a<|endoftext|>b")));
    }

    [Theory]
    [InlineData("""{"model":{"type":"Unigram","vocab":[]}}""", "'Unigram'; supported: byte-level BPE")]
    [InlineData("""{"model":{"type":"BPE","byte_fallback":true,"vocab":{},"merges":[]}}""", "byte fallback")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]}}""", "no ByteLevel pre-tokenizer")]
    [InlineData("""{"pre_tokenizer":{"type":"Metaspace"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "'Metaspace'")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "merge 0")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "the id -1")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"normalizer":{"type":"Lowercase"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "'Lowercase'")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"post_processor":{"type":"BertProcessing"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "'BertProcessing'")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[2000000000]}}},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""", "adds token 2000000000")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"<s>"}}],"special_tokens":{"<s>":{"ids":[-1]}}},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""", "adds token -1")]
    [InlineData("""{"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"WordPiece"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "'WordPiece'")]
    [InlineData("""{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false},{"type":"ByteLevel","use_regex":false}]},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "no regular expression")]
    [InlineData("""{}""", "no 'model'")]
    [InlineData("""{"model":{"type":"BPE"}}""", "not a Hugging Face tokenizer file")]
    [InlineData("""[1]""", "not a Hugging Face tokenizer file")]
    [InlineData("""{"model""", "not a Hugging Face tokenizer file")]
    public void Parse_TokenizerOfAnotherKind_IsRefusedWithTheReason(string json, string fault)
    {
        var error = Assert.Throws<EngineException>(() => TokenizerFile.Parse(Encoding.UTF8.GetBytes(json)));

        Assert.Equal(ErrorCodes.ModelInvalid, error.Code);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    internal static string RandomText(Random random, int length)
    {
        var text = new StringBuilder();
        for (var i = 0; i < length; i++)
        {
            var kind = random.Next(8);
            text.Append(kind switch
            {
                0 => " ",
                1 => "\n",
                2 => new Rune(random.Next(0x80, 0xd800)).ToString(),
                3 => new Rune(random.Next(0x10000, 0x110000)).ToString(),
                4 => random.Next(1000).ToString(),
                5 => "'ll",
                _ => new Rune(random.Next(0x20, 0x7f)).ToString(),
            });
        }

        return text.ToString();
    }

    private static Dictionary<(string, string), int> ReadMerges()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(DemoModel.File("tokenizer.json")));
        return json.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray()
            .Select((merge, rank) => (Parts: merge.GetString()!.Split(' '), rank))
            .ToDictionary(merge => (merge.Parts[0], merge.Parts[1]), merge => merge.rank);
    }

    private static List<string> SlowMerge(string text, Dictionary<(string, string), int> merges)
    {
        var symbols = text.Select(c => c.ToString()).ToList();
        while (true)
        {
            var best = Enumerable.Range(0, symbols.Count - 1).Select(i => (Rank: merges.GetValueOrDefault((symbols[i], symbols[i + 1]), int.MaxValue), At: i)).Min();
            if (best.Rank == int.MaxValue)
            {
                return symbols;
            }

            symbols[best.At] += symbols[best.At + 1];
            symbols.RemoveAt(best.At + 1);
        }
    }
}
