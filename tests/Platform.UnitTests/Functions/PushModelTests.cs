using Platform.Functions.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Functions;

public sealed class PushModelTests
{
    private static readonly ModelManifest Good = new()
    {
        Name = "m",
        Files = [new("config.json", 1, "e"), new("tokenizer.json", 1, "e"), new("model.safetensors", 1, "e")],
    };

    [Fact]
    public void Validate_OfAWholeManifest_FindsNothing() => Assert.Empty(PushModelFunction.Validate(Good, "m"));

    [Fact]
    public void Validate_OfABrokenManifest_NamesEveryFault()
    {
        var broken = Good with { Name = "other", Files = [new("config.json", 0, "e"), new("../x", 1, "e"), new("a.bin", 1, "")] };

        var faults = PushModelFunction.Validate(broken, "m");

        Assert.Equal(
            ["$.files", "$.files", "$.files[0].lengthBytes", "$.files[1].name", "$.files[2].eTag", "$.name"],
            faults.Select(fault => fault.Path).Order(StringComparer.Ordinal));
    }
}
