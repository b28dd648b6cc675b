using System.Net;

namespace Platform.ConformanceTests.Dapr;

/// <summary>What the two secret stores for one machine give out (section 11 of the contract).</summary>
public sealed class SecretStoreTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Environment_GivesAnEmptySecretForWhatIsMissingAndNothingOfDaprs()
    {
        // Variables belong to the whole process, so these have names that nothing else reads.
        Environment.SetEnvironmentVariable("SECRET_STORE_TEST", "seen");
        Environment.SetEnvironmentVariable("DAPR_SECRET_STORE_TEST", "hidden");
        await using var cluster = await TestCluster.OpenAsync("""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: env }
            spec: { type: secretstores.local.env }
            """);
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/env/SECRET_STORE_TEST")).IsAsync(HttpStatusCode.OK, """{"SECRET_STORE_TEST":"seen"}""");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/env/SECRET_STORE_TEST_NONE")).IsAsync(HttpStatusCode.OK, """{"SECRET_STORE_TEST_NONE":""}""");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/env/DAPR_SECRET_STORE_TEST")).IsAsync(HttpStatusCode.OK, """{"DAPR_SECRET_STORE_TEST":""}""");
        var all = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/env/bulk")).JsonAsync();

        Assert.Equal("seen", all.GetProperty("SECRET_STORE_TEST").GetProperty("SECRET_STORE_TEST").GetString());
        Assert.DoesNotContain(all.EnumerateObject(), secret => secret.Name.StartsWith("DAPR_", StringComparison.OrdinalIgnoreCase) || secret.Name.Equals("APP_API_TOKEN", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("{ name: nestedSeparator, value: '.' }", "db.pass", """{"db.pass":"p"}""")]
    [InlineData("{ name: multiValued, value: 'true' }", "db", """{"user":"u","pass":"p","in:ner":"i"}""")]
    public async Task File_WithNestedSecrets_NamesThemAsItIsTold(string metadata, string name, string expected)
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("secrets-").FullName, "secrets.json");
        await File.WriteAllTextAsync(file, """{"db":{"user":"u","pass":"p","in":{"ner":"i"}}}""", Stop);
        await using var cluster = await TestCluster.OpenAsync($$"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: secrets }
            spec:
              type: secretstores.local.file
              metadata: [{ name: secretsFile, value: "{{file}}" }, {{metadata}}]
            """);
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, $"v1.0/secrets/secrets/{name}")).IsAsync(HttpStatusCode.OK, expected);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }
}
