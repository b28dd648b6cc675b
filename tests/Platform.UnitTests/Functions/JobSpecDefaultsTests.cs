using System.Text.Json;
using Platform.Jobs;

namespace Platform.UnitTests.Functions;

public sealed class JobSpecDefaultsTests
{
    [Fact]
    public void Deserialize_SpecWithTheLeast_HasTheDefaults()
    {
        var spec = JsonSerializer.Deserialize("""{"kind":"batch-infer","model":"m","prompts":["a"]}""", JobsJson.Default.JobSpec)!;

        Assert.Equal((32, 3, 0.0), (spec.MaxTokens, spec.MaxAttempts, spec.Temperature));
        Assert.Empty(JobSpecValidation.Validate(spec));
    }

    [Fact]
    public void Validate_OfALabelThatIsNull_IsAFaultNotACrash()
    {
        var spec = JsonSerializer.Deserialize("""{"kind":"batch-infer","model":"m","prompts":["a"],"labels":{"team":null}}""", JobsJson.Default.JobSpec)!;

        Assert.Equal("$.labels.team", Assert.Single(JobSpecValidation.Validate(spec)).Path);
    }
}
