using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Jobs.Schemas;

/// <summary>The OpenAPI 3.1 document of the platform's own surface under <c>api/</c>. The schemas come from the types; a test compares the routes with the functions.</summary>
public static class OpenApiDocument
{
    private static readonly Operation[] Operations =
    [
        new("post", "api/jobs", "SubmitJob", "Submit a job. The same spec under the same id is the same job.", JobsJson.Default.JobSpec, 202, JobsJson.Default.JobStatus, [400, 404, 409, 413]),
        new("get", "api/jobs", "ListJobs", "Jobs, newest first.", null, 200, JobsJson.Default.JobList, [400]) { Query = ["limit", "after", "state", "kind", "label", "since"] },
        new("get", "api/jobs/{id}", "GetJob", "One job: state, reason, attempts, result.", null, 200, JobsJson.Default.JobStatus, [404]),
        new("get", "api/jobs/{id}/logs", "JobLogs", "The log of an attempt as text; with follow=true as events, over all attempts, to the end of the job.", null, 200, null, [400, 404]) { Query = ["attempt", "offset", "follow"], Text = true },
        new("post", "api/jobs/{id}/cancel", "CancelJob", "Cancel a job; one that has ended stays as it is.", null, 200, JobsJson.Default.JobStatus, [404]),
        new("post", "api/jobs/{id}/retry", "RetryJob", "Submit the spec of an ended job again, under the id {id}-retry-N.", null, 202, JobsJson.Default.JobStatus, [404, 409]),
        new("get", "api/usage", "Usage", "Time and cost by function, model, tenant or kind.", null, 200, JobsJson.Default.UsageTable, [400]) { Query = ["by", "since"] },
        new("get", "api/models", "ListModels", "Published models and where they are.", null, 200, JobsJson.Default.ListModelStatus, []),
        new("get", "api/models/{model}", "GetModel", "One published model.", null, 200, JobsJson.Default.ModelStatus, [404]),
        new("put", "api/models/{model}", "PushModel", "Publish a model whose files are in object storage.", JobsJson.Default.ModelManifest, 200, JobsJson.Default.ModelManifest, [400]),
        new("delete", "api/models/{model}", "RemoveModel", "Take a model back.", null, 204, null, [404]),
        new("post", "api/models/{model}/warm", "WarmModel", "Load a model on a node before the first call.", null, 200, null, [404, 503]),
        new("get", "api/status", "Status", "The nodes, what they hold and do.", null, 200, JobsJson.Default.NodeTable, []),
        new("get", "api/nodes/{node}/tier", "NodeTier", "What the NVMe tier of a node holds.", null, 200, JobsJson.Default.TierTable, [404]),
        new("get", "api/nodes/{node}/tier/explain", "NodeTierExplain", "Why a key is, or is not, in the NVMe tier of a node.", null, 200, JobsJson.Default.TierReason, [400, 404]) { Query = ["key"] },
        new("get", "api/openapi.json", "OpenApi", "This document.", null, 200, null, []),
    ];

    /// <summary>Routes of the document, each as <c>VERB route</c>.</summary>
    public static IEnumerable<string> RoutesOfDocument => Operations.Select(operation => $"{operation.Verb.ToUpperInvariant()} {operation.Route}");

    /// <summary>The document.</summary>
    public static JsonObject Create()
    {
        var schemas = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal) { ["Problem"] = JobSchemas.Of(JobsJson.Default.Problem) };
        var paths = new JsonObject();
        foreach (var operation in Operations)
        {
            var path = "/" + operation.Route;
            paths[path] ??= new JsonObject();
            paths[path]![operation.Verb] = Describe(operation, schemas);
        }

        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject { ["title"] = "Platform", ["version"] = "1", ["description"] = "Jobs, models and nodes. Every error is problem+json with a stable code; completions follow OpenAI's API under /v1." },
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = new JsonObject([.. schemas.Select(schema => KeyValuePair.Create(schema.Key, (JsonNode?)schema.Value))]),
                ["securitySchemes"] = new JsonObject { ["functionKey"] = new JsonObject { ["type"] = "apiKey", ["in"] = "header", ["name"] = "x-functions-key" } },
            },
        };
    }

    private static JsonObject Describe(Operation operation, IDictionary<string, JsonObject> schemas)
    {
        var described = new JsonObject { ["operationId"] = operation.Id, ["summary"] = operation.Summary };
        JsonNode[] parameters =
        [
            .. operation.Route.Split('/').Where(part => part.StartsWith('{')).Select(part => Parameter(part[1..^1], "path", required: true)),
            .. operation.Query.Select(name => Parameter(name, "query", required: false)),
        ];
        if (parameters.Length > 0)
        {
            described["parameters"] = new JsonArray(parameters);
        }

        if (operation.Request is { } request)
        {
            described["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Content("application/json", Reference(request, schemas)) };
        }

        var good = new JsonObject { ["description"] = operation.Status == 202 ? "Accepted and durable" : "Done" };
        if (operation.Response is { } response)
        {
            good["content"] = Content("application/json", Reference(response, schemas));
        }
        else if (operation.Text)
        {
            good["content"] = new JsonObject { ["text/plain"] = new JsonObject(), ["text/event-stream"] = new JsonObject() };
        }

        var responses = new JsonObject { [operation.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)] = good };
        foreach (var status in operation.Errors)
        {
            responses[status.ToString(System.Globalization.CultureInfo.InvariantCulture)] = new JsonObject
            {
                ["description"] = Problem.Of(status, ErrorCodes.Internal, "").Title,
                ["content"] = Content(Problem.ContentType, new JsonObject { ["$ref"] = "#/components/schemas/Problem" }),
            };
        }

        described["responses"] = responses;
        return described;
    }

    private static JsonObject Reference(JsonTypeInfo type, IDictionary<string, JsonObject> schemas)
    {
        var name = type.Type.IsGenericType ? type.Type.GetGenericArguments()[0].Name + "List" : type.Type.Name;
        schemas.TryAdd(name, JobSchemas.Of(type));
        return new JsonObject { ["$ref"] = $"#/components/schemas/{name}" };
    }

    private static JsonObject Content(string type, JsonNode schema) => new() { [type] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Parameter(string name, string place, bool required) => new()
    {
        ["name"] = name,
        ["in"] = place,
        ["required"] = required,
        ["schema"] = new JsonObject { ["type"] = "string" },
    };

    private sealed record Operation(string Verb, string Route, string Id, string Summary, JsonTypeInfo? Request, int Status, JsonTypeInfo? Response, int[] Errors)
    {
        public string[] Query { get; init; } = [];

        public bool Text { get; init; }
    }
}
