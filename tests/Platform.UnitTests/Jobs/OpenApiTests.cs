using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Functions.Hosting;
using Platform.Jobs;
using Platform.Jobs.Schemas;

namespace Platform.UnitTests.Jobs;

public sealed class OpenApiTests
{
    [Fact]
    public void Document_EveryFunctionOfJobs_IsInItAndEveryRouteOfItIsAFunction()
    {
        var functions = typeof(Platform.Functions.Http.OpenApiFunction).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetParameters())
            .SelectMany(parameter => parameter.GetCustomAttributes(typeof(HttpTriggerAttribute), false).Cast<HttpTriggerAttribute>())
            .Where(trigger => trigger.Route?.StartsWith("api/", StringComparison.Ordinal) == true)
            .SelectMany(trigger => trigger.Methods.Select(verb => $"{verb.ToUpperInvariant()} {trigger.Route}"))
            .ToArray();
        var routes = OpenApiDocument.RoutesOfDocument.ToArray();

        Assert.Empty(routes.Except(functions));
        Assert.Empty(functions.Where(function => function.Contains(" api/jobs", StringComparison.Ordinal) || function.Contains(" api/usage", StringComparison.Ordinal)).Except(routes));
    }

    [Fact]
    public void Document_EveryReference_LeadsSomewhere()
    {
        var document = OpenApiDocument.Create();
        var references = Strings(document, "$ref").Where(reference => reference.StartsWith("#/components/schemas/", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(references);
        Assert.All(references, reference => Assert.NotNull(document["components"]!["schemas"]![reference["#/components/schemas/".Length..]]));
        Assert.Equal("3.1.0", (string?)document["openapi"]);
    }

    [Fact]
    public void Schema_OfAJob_HasEveryMemberAsItIsWritten()
    {
        var schema = JobSchemas.JobSpec();
        var spec = JsonSerializer.SerializeToNode(
            new JobSpec
            {
                Id = "j",
                Kind = JobKinds.Exec,
                Command = ["true"],
                Array = new JobArray { Size = 2 },
                Webhook = new JobWebhook { Url = "http://h/" },
                Resources = new JobResources(),
                Retry = new JobRetryPolicy(),
                TtlSeconds = 1,
                GraceSeconds = 1,
                DeadlineSeconds = 1,
                Environment = new Dictionary<string, string>(),
                Artifacts = new Dictionary<string, string>(),
                Labels = new Dictionary<string, string>(),
            },
            JobsJson.Default.JobSpec)!.AsObject();

        Assert.All(spec, member => Assert.NotNull(schema["properties"]![member.Key]));
        Assert.Equal(JobKinds.All, schema["properties"]!["kind"]!["enum"]!.AsArray().Select(kind => (string?)kind));
        Assert.Equal(["kind"], schema["required"]!.AsArray().Select(name => (string?)name));
        Assert.Equal(100, (double)schema["properties"]!["maxAttempts"]!["maximum"]!);
    }

    private static IEnumerable<string> Strings(JsonNode? node, string name) => node switch
    {
        JsonObject members => members.SelectMany(member => member.Key == name ? [(string)member.Value!] : Strings(member.Value, name)),
        JsonArray items => items.SelectMany(item => Strings(item, name)),
        _ => [],
    };
}
