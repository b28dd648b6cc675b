using System.Text.Json;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Building blocks of which no component is configured. Status, code and words are daprd's (release 1.18.3: <c>pkg/messages/predefined.go</c>, <c>pkg/api/errors</c>, <c>pkg/api/http</c>).</summary>
public sealed class AbsentBuildingBlockTests
{
    private const string NoActorStore =
        "api error: code = Internal desc = the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?";

    private const string NoHost = "api error: code = FailedPrecondition desc = did not find address for actor 'dapr.internal.default.caller.workflow||i1'";

    [Theory]
    [InlineData("POST", "v1.0/bindings/b", "{}", 500, "ERR_INVOKE_OUTPUT_BINDING", "error invoking output binding b: couldn't find output binding b")]
    [InlineData("PUT", "v1.0/bindings/b", "{}", 500, "ERR_INVOKE_OUTPUT_BINDING", "error invoking output binding b: couldn't find output binding b")]
    [InlineData("POST", "v1.0/bindings/b", "{", 400, "ERR_MALFORMED_REQUEST", null)]
    [InlineData("POST", "v1.0-alpha1/lock/l", """{"resourceId":"r","lockOwner":"o","expiryInSeconds":60}""", 500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured")]
    [InlineData("POST", "v1.0-alpha1/lock/l", """{"resource_id":"r","lock_owner":"o","expiry_in_seconds":"60"}""", 500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured")]
    [InlineData("POST", "v1.0-alpha1/lock/l", "{}", 400, "ERR_MALFORMED_REQUEST", "ExpiryInSeconds is not positive in lock store l")]
    [InlineData("POST", "v1.0-alpha1/lock/l", """{"expiryInSeconds":"soon"}""", 400, "ERR_MALFORMED_REQUEST", null)]
    [InlineData("POST", "v1.0-alpha1/unlock/l", "{}", 500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured")]
    [InlineData("POST", "v1.0-alpha1/unlock/l", "[]", 400, "ERR_MALFORMED_REQUEST", null)]
    [InlineData("GET", "v1.0/configuration/c?key=a", null, 500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured")]
    [InlineData("GET", "v1.0-alpha1/configuration/c/subscribe", null, 500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured")]
    [InlineData("GET", "v1.0/configuration/c/7/unsubscribe", null, 500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured")]
    [InlineData("PUT", "v1.0-alpha1/crypto/c/encrypt", "x", 500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured")]
    [InlineData("PUT", "v1.0-alpha1/crypto/c/decrypt", "x", 500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured")]
    [InlineData("POST", "v1.0-alpha1/subtlecrypto/c/sign", "{}", 501, "ERR_API_UNIMPLEMENTED", "this API is currently not implemented")]
    [InlineData("POST", "v1.0-alpha1/conversation/llm/converse", "{}", 400, "ERR_CONVERSATION_NOT_FOUND", "failed finding conversation component llm")]
    [InlineData("POST", "v1.0-alpha2/conversation/llm/converse", "{}", 400, "ERR_CONVERSATION_NOT_FOUND", "failed finding conversation component llm")]
    [InlineData("GET", "v1.0/secrets/s/x", null, 500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured")]
    [InlineData("POST", "v1.0/publish/p/t", "{}", 404, "ERR_PUBSUB_NOT_FOUND", "pubsub p is not found")]
    [InlineData("POST", "v1.0-alpha1/state/s/query", "{}", 500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store s is not configured")]
    [InlineData("GET", "v1.0/workflows/dapr/i1", null, 500, "ERR_GET_WORKFLOW", "error while getting workflow info on instance 'i1': failed to get workflow metadata for 'i1': " + NoActorStore)]
    [InlineData("POST", "v1.0/workflows/dapr/w/start", null, 500, "ERR_START_WORKFLOW", "error starting workflow 'w': unable to start workflow: " + NoActorStore)]
    public Task Call_WithoutAComponent_AnswersAsDaprdDoes(string method, string path, string? body, int status, string code, string? message) => CheckAsync("", method, path, body, status, code, message);

    [Theory]
    [InlineData("POST", "v1.0/jobs/j", """{"schedule":"@every 1m"}""", 500, "DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: scheduler clients are disabled")]
    [InlineData("POST", "v1.0-alpha1/jobs/j", """{"due_time":"1m"}""", 500, "DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: scheduler clients are disabled")]
    [InlineData("POST", "v1.0/jobs/j", "{}", 400, "DAPR_SCHEDULER_SCHEDULE_EMPTY", "Schedule is empty")]
    [InlineData("POST", "v1.0/jobs/%20", """{"schedule":"@daily"}""", 400, "DAPR_SCHEDULER_JOB_NAME_EMPTY", "Name is empty")]
    [InlineData("POST", "v1.0/jobs/j", """{"name":"k","schedule":"@daily"}""", 400, "DAPR_SCHEDULER_JOB_NAME", "Set the job name in the url only")]
    [InlineData("GET", "v1.0/jobs/j", null, 500, "DAPR_SCHEDULER_GET_JOB", "failed to get job due to: scheduler clients are disabled")]
    [InlineData("DELETE", "v1.0/jobs/j", null, 500, "DAPR_SCHEDULER_DELETE_JOB", "failed to delete job due to: scheduler clients are disabled")]
    public async Task Job_WithoutAScheduler_AnswersAsDaprdDoes(string method, string path, string? body, int status, string code, string message)
    {
        var answer = await CheckAsync(TestCluster.Components, method, path, body, status, code, message);

        var details = Assert.Single(answer.GetProperty("details").EnumerateArray());
        Assert.Equal(("type.googleapis.com/google.rpc.ErrorInfo", "dapr.io", code), (details.GetProperty("@type").GetString(), details.GetProperty("domain").GetString(), details.GetProperty("reason").GetString()));
        Assert.Equal("caller", details.GetProperty("metadata").GetProperty("appID").GetString());
    }

    [Theory]
    [InlineData("GET", "v1.0/workflows/dapr/i1", 404, "ERR_INSTANCE_ID_NOT_FOUND", "unable to find workflow with the provided instance ID: i1")]
    [InlineData("POST", "v1.0-alpha1/workflows/dapr/w/start?instanceID=i1", 500, "ERR_START_WORKFLOW", "error starting workflow 'w': unable to start workflow: " + NoHost)]
    [InlineData("POST", "v1.0/workflows/dapr/w/start?instanceID=a%20b", 400, "ERR_INSTANCE_ID_INVALID", "workflow instance ID 'a b' is invalid: only alphanumeric and underscore characters are allowed")]
    [InlineData("POST", "v1.0/workflows/dapr/w/start?instanceID=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 400, "ERR_INSTANCE_ID_TOO_LONG", "workflow instance ID exceeds the max length of 64 characters")]
    [InlineData("POST", "v1.0-beta1/workflows/dapr/i1/terminate", 500, "ERR_TERMINATE_WORKFLOW", "error terminating workflow 'i1': failed to terminate workflow i1: " + NoHost)]
    [InlineData("POST", "v1.0/workflows/dapr/i1/purge", 404, "ERR_INSTANCE_ID_NOT_FOUND", "unable to find workflow with the provided instance ID: i1")]
    [InlineData("POST", "v1.0/workflows/dapr/i1/pause", 500, "ERR_PAUSE_WORKFLOW", "error pausing workflow i1: failed to pause workflow i1: " + NoHost)]
    [InlineData("POST", "v1.0/workflows/dapr/i1/resume", 500, "ERR_RESUME_WORKFLOW", "error resuming workflow i1: failed to resume workflow i1: " + NoHost)]
    [InlineData("POST", "v1.0/workflows/dapr/i1/raiseEvent/e", 500, "ERR_RAISE_EVENT_WORKFLOW", "error raising event on workflow 'i1': failed to raise event e on workflow i1: " + NoHost)]
    [InlineData("POST", "v1.0-alpha1/state/statestore/query", 500, "ERR_STATE_STORE_NOT_SUPPORTED", "state store does not support querying")]
    [InlineData("POST", "v1.0/actors/dapr.internal.default.caller.workflow/i1/state", 403, "ERR_ACTOR_TYPE_RESERVED", "actor type \"dapr.internal.default.caller.workflow\" is reserved for the Dapr workflow runtime; direct actor API access is not permitted")]
    public Task Call_ThatNoComponentServes_AnswersAsDaprdDoes(string method, string path, int status, string code, string message) => CheckAsync(TestCluster.Components, method, path, null, status, code, message);

    [Theory]
    [InlineData("GET", "v1.0/bindings/b")]
    [InlineData("POST", "v1.0/lock/l")]
    [InlineData("PUT", "v1.0-alpha1/lock/l")]
    [InlineData("POST", "v1.0/configuration/c")]
    [InlineData("GET", "v1.0/configuration/c/d/e")]
    [InlineData("POST", "v1.0-alpha1/crypto/c/encrypt")]
    [InlineData("POST", "v1.0-alpha1/subtlecrypto/c/guess")]
    [InlineData("PUT", "v1.0/jobs/j")]
    [InlineData("POST", "v1.0/state/statestore/query/more")]
    [InlineData("DELETE", "v1.0/workflows/dapr/i1")]
    [InlineData("POST", "v1.0/workflows/dapr/i1/rewind")]
    public Task Path_OrVerb_ThatDaprdDoesNotHave_IsNoRoute(string method, string path) => CheckAsync(
        TestCluster.Components, method, path, null, 404, "ERR_DIRECT_INVOKE", "failed getting app id either from the URL path or the header dapr-app-id");

    private static async Task<JsonElement> CheckAsync(string components, string method, string path, string? body, int status, string code, string? message)
    {
        await using var cluster = await TestCluster.OpenAsync(components);
        using var dapr = await cluster.StartCallerAsync();

        var response = await dapr.SendAsync(new HttpMethod(method), path, body is null ? null : Answers.Json(body));

        await response.IsErrorAsync(status, code);
        var answer = await response.JsonAsync();
        if (message is not null)
        {
            Assert.Equal(message, answer.GetProperty("message").GetString());
        }

        return answer;
    }
}
