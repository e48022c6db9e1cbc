import { testSeed } from './support/model-seed';

testSeed(1);
