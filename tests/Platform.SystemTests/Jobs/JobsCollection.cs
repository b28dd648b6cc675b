namespace Platform.SystemTests.Jobs;

/// <summary>The tests of jobs share one platform.</summary>
[CollectionDefinition(nameof(JobsPlatform))]
public sealed class JobsCollection : ICollectionFixture<JobsPlatform>;
