using System.Text.RegularExpressions;
using Platform.Local.FunctionsHost;
using Platform.Local.FunctionsHost.App;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>local.settings.json, connections, and what the README says of both.</summary>
public sealed class AppSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Connection_IsTriedWithThePrefixThenAsItIsThenAmongTheConnectionStrings()
    {
        var settings = Load("""
            {
              "IsEncrypted": false,
              "Values": { "AzureWebJobsStorage": "standard", "AzureWebJobsJobs": "with the prefix", "Jobs": "without", "Other": "other", "WHICH": "Other" },
              "ConnectionStrings": { "Third": "third" }
            }
            """);

        Assert.Equal(
            ["standard", "standard", "with the prefix", "other", "third", "other", null],
            new[] { null, "", "Jobs", "Other", "Third", "%WHICH%", "None" }.Select(settings.Connection));
    }

    [Fact]
    public void Value_Null_IsSkipped() => Assert.Equal((null, "b"), (Load("""{"IsEncrypted":false,"Values":{"A":null,"B":"b"}}""")["A"], Load("""{"IsEncrypted":false,"Values":{"A":null,"B":"b"}}""")["B"]));

    [Fact]
    public void Name_ThatIsThereTwice_HasTheLastValueAsUnderFunc()
    {
        var settings = Load("""{"IsEncrypted":false,"Values":{"A":"first","A":"last"},"Host":{"CORS":"http://first","CORS":"http://last"}}""");

        Assert.Equal(("last", "http://last"), (settings["A"], Assert.Single(settings.Cors.Origins)));
    }

    [Theory]
    [InlineData("[]", "JSON Array")]
    [InlineData("""{"IsEncrypted":false,"Values":[]}""", "Values is a JSON Array")]
    [InlineData("""{"IsEncrypted":true,"Values":{}}""", "IsEncrypted")]
    [InlineData("""{"Values":{}}""", "IsEncrypted")]
    [InlineData("""{"IsEncrypted":false,"Values":{"A":1}}""", "Values.A is 1")]
    [InlineData("""{"IsEncrypted":false,"Values":{""", "is not JSON")]
    public void File_ThatIsNotFit_IsNamedWithTheReason(string json, string reason)
    {
        var failure = Assert.Throws<FunctionAppException>(() => Load(json));

        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
        Assert.Contains("local.settings.json", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Readme_OfTheFunctions_HasATemplateThatLoadsAndTheBundleOfHostJson()
    {
        var project = Path.Combine(Repository.Root, "functions", "Platform.Functions");
        var readme = File.ReadAllText(Path.Combine(project, "README.md"));
        var template = Regex.Match(readme, "```json\n(?<json>.*?IsEncrypted.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).Groups["json"].Value;

        var settings = Load(template);
        var hostJson = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(project, "host.json")))!;

        Assert.Equal(("UseDevelopmentStorage=true", "custom"), (settings.Connection(null), settings["FUNCTIONS_WORKER_RUNTIME"]));
        Assert.DoesNotContain("AccountKey", template, StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"`{hostJson["extensionBundle"]!["id"]} {hostJson["extensionBundle"]!["version"]}`", readme, StringComparison.Ordinal);
    }

    private AppSettings Load(string json)
    {
        File.WriteAllText(Path.Combine(_folder, "local.settings.json"), json);
        return AppSettings.Load(_folder, new Dictionary<string, string>());
    }
}
